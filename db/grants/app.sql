-- The app tier: nothing on the schema, and nothing but insert and read on the audit trail.
GRANT SELECT, INSERT ON {{database}}.organizations TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE ON {{database}}.`keys` TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE ON {{database}}.owners TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE ON {{database}}.index_versions TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE ON {{database}}.people TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE ON {{database}}.credentials TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON {{database}}.sessions TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE ON {{database}}.resources TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.resource_versions TO 'app'@'%';
GRANT SELECT, INSERT, DELETE ON {{database}}.demographics TO 'app'@'%';
GRANT SELECT, INSERT, DELETE ON {{database}}.patient_index TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.audit_events TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.audit_rows TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.audit_addresses TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.audit_places TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.audit_checkpoints TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE ON {{database}}.audit_sequencer TO 'app'@'%';
