-- The auditor reads the audit log, and no record and no key.
GRANT SELECT ON {{database}}.organizations TO 'auditor'@'%';
GRANT SELECT ON {{database}}.audit_events TO 'auditor'@'%';
GRANT SELECT ON {{database}}.audit_rows TO 'auditor'@'%';
GRANT SELECT ON {{database}}.audit_places TO 'auditor'@'%';
GRANT SELECT ON {{database}}.audit_checkpoints TO 'auditor'@'%';
