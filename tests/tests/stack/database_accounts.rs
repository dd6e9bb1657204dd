//! The privileges of the database accounts.

use std::time::Duration;

use tests::Attacker;
use tests::RunningStack;

#[tokio::test]
async fn the_app_s_account_can_change_neither_the_audit_trail_nor_the_schema() -> anyhow::Result<()>
{
    let running = RunningStack::shared()?;
    let mut app = Attacker::connect(&running.status, "app").await?;
    assert!(app.number("SELECT COUNT(*) FROM audit_events", &[]).await? > 0);
    for sql in [
        "UPDATE audit_events SET at = at",
        "UPDATE audit_events SET body = '' WHERE counter = 0",
        "DELETE FROM audit_events",
        "REPLACE INTO audit_events SELECT * FROM audit_events LIMIT 1",
        "TRUNCATE TABLE audit_events",
        "DROP TABLE audit_events",
        "ALTER TABLE audit_events DROP COLUMN mac",
        "CREATE TABLE attacker (id INT)",
        "CREATE TRIGGER attacker BEFORE INSERT ON audit_events FOR EACH ROW SET NEW.at = NOW()",
        "UPDATE audit_events SET mac = mac",
        "UPDATE audit_rows SET digest = digest",
        "DELETE FROM audit_rows",
        "DELETE FROM resource_versions",
        "UPDATE resource_versions SET body = ''",
        "UPDATE resource_versions SET deleted = 1",
        "UPDATE search_summaries SET summary = ''",
        "UPDATE resources SET owner = owner",
        "DELETE FROM resources",
        "UPDATE `keys` SET owner = owner",
        "DELETE FROM `keys`",
        "UPDATE owners SET owner_kind = owner_kind",
        "DELETE FROM owners",
        "UPDATE demographics SET mac = mac",
        "DELETE FROM index_versions",
        "UPDATE sessions SET person = person",
        "UPDATE sessions SET expires_at = expires_at",
        "UPDATE exports SET person = person",
        "UPDATE exports SET expires_at = expires_at",
        "DELETE FROM exports",
        "DELETE FROM credentials",
        "UPDATE authenticators SET secret = secret",
        "DELETE FROM authenticators",
        "DELETE FROM care_team_members",
        "UPDATE emergency_accesses SET ends_at = ends_at",
        "UPDATE emergency_accesses SET reason = reason",
        "UPDATE clients SET person = person",
        "DELETE FROM clients",
        "UPDATE client_assertions SET expires_at = expires_at",
        "DELETE FROM people",
        "RENAME TABLE people TO others",
        "CREATE VIEW attacker AS SELECT * FROM people",
        "GRANT ALL ON stack.* TO 'app'@'%'",
        "SELECT * FROM mysql.user",
        "SET GLOBAL general_log = 1",
        "SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/attacker'",
    ] {
        // A connection for each statement: after some of these refusals the client waits for a
        // packet that never arrives.
        let mut app = Attacker::connect(&running.status, "app").await?;
        let done = tokio::time::timeout(Duration::from_secs(10), app.execute(sql, &[])).await;
        assert!(!matches!(done, Ok(Ok(_))), "{sql}");
    }
    Ok(())
}

#[tokio::test]
async fn the_auditor_and_backup_accounts_read_their_tables_and_write_nothing() -> anyhow::Result<()>
{
    let running = RunningStack::shared()?;
    let mut auditor = Attacker::connect(&running.status, "auditor").await?;
    assert!(
        auditor
            .number("SELECT COUNT(*) FROM audit_events", &[])
            .await?
            > 0
    );
    for table in [
        "resource_versions",
        "resources",
        "search_summaries",
        "exports",
        "demographics",
        "patient_index",
        "owners",
        "people",
        "credentials",
        "authenticators",
        "care_team_members",
        "emergency_accesses",
        "clients",
        "client_assertions",
        "`keys`",
        "sessions",
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        assert!(auditor.rows(&sql, &[]).await.is_err(), "{table}");
    }
    assert!(
        auditor
            .execute("DELETE FROM audit_events", &[])
            .await
            .is_err()
    );
    let mut backup = Attacker::connect(&running.status, "backup").await?;
    assert!(
        backup
            .number("SELECT COUNT(*) FROM resource_versions", &[])
            .await?
            > 0
    );
    assert!(
        backup
            .execute("UPDATE people SET role = 'clinician'", &[])
            .await
            .is_err()
    );
    Ok(())
}
