-- The app tier: no right on the schema, and only SELECT and INSERT on the audit trail. UPDATE is granted by column: key
-- columns and row ids cannot change, so that no row can become the row of another owner, person or session. DELETE is
-- granted only where rows are replaced or expire.
GRANT SELECT, INSERT, UPDATE (chart_access, mac_key, mac) ON {{database}}.organizations TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.`keys` TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (state, holds, key_version, tombstone, audit_year, heads, mac_key, mac) ON {{database}}.owners TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.index_versions TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (role, active, sessions_since, mac_key, mac) ON {{database}}.people TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (password, changed_at, second_factor_at, authenticator_changes, recovery_codes_at, mac_key, mac) ON {{database}}.credentials TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (confirmed_at, last_counter, challenged_at, ended_at, mac_key, mac) ON {{database}}.authenticators TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (added_at, added_by, ended_at, mac_key, mac) ON {{database}}.care_team_members TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (reviewed_at, reviewed_by, appropriate, finding, mac_key, mac) ON {{database}}.emergency_accesses TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (seen_at, ended_at, mac_key, mac), DELETE ON {{database}}.sessions TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (scopes, jwks, keys_at, ended_at, mac_key, mac) ON {{database}}.clients TO 'app'@'%';
GRANT SELECT, INSERT, DELETE ON {{database}}.client_assertions TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (free_at), DELETE ON {{database}}.sign_in_attempts TO 'app'@'%';
GRANT SELECT, INSERT, DELETE ON {{database}}.sign_in_addresses TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (version, version_row, updated_at, version_digest, deleted, mac_key, mac) ON {{database}}.resources TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (lowest, raised_at, mac_key, mac) ON {{database}}.release_floor TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.resource_versions TO 'app'@'%';
GRANT SELECT, INSERT, DELETE ON {{database}}.search_summaries TO 'app'@'%';
GRANT SELECT, INSERT, DELETE ON {{database}}.demographics TO 'app'@'%';
GRANT SELECT, INSERT, DELETE ON {{database}}.patient_index TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (state, ended_at, mac_key, mac) ON {{database}}.exports TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.changes TO 'app'@'%';
GRANT SELECT, INSERT, UPDATE (sequence, digest, access, mac_key, mac) ON {{database}}.change_counters TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.audit_events TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.audit_rows TO 'app'@'%';
GRANT SELECT, INSERT ON {{database}}.audit_addresses TO 'app'@'%';
GRANT SELECT ON {{database}}.audit_places TO 'app'@'%';
GRANT SELECT ON {{database}}.audit_checkpoints TO 'app'@'%';
GRANT SELECT ON {{database}}.audit_sequencer TO 'app'@'%';
