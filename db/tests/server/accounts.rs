use sqlx::Executor as _;
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError};

use super::scratch::Scratch;

/// What a server answers to a statement that an account has no right to: on a database, a table, a
/// column, or as an administrator.
const DENIED: [u16; 5] = [1044, 1142, 1143, 1227, 1410];

async fn denied(connection: &mut MySqlConnection, statement: &str) {
    let error = connection.execute(statement).await.expect_err(statement);
    let number = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
        .map(MySqlDatabaseError::number);
    assert!(
        number.is_some_and(|number| DENIED.contains(&number)),
        "{statement}: {error}"
    );
}

async fn allowed(connection: &mut MySqlConnection, statement: &str) {
    if let Err(error) = connection.execute(statement).await {
        panic!("{statement}: {error}");
    }
}

#[tokio::test]
async fn the_app_reads_the_audit_trail_and_can_neither_change_nor_delete_of_it() {
    let scratch = Scratch::migrated().await;
    let mut app = scratch.connect("app").await;
    for table in [
        "audit_events",
        "audit_addresses",
        "audit_places",
        "audit_checkpoints",
    ] {
        allowed(&mut app, &format!("SELECT COUNT(*) FROM {table}")).await;
        denied(&mut app, &format!("UPDATE {table} SET organization = ''")).await;
        denied(&mut app, &format!("DELETE FROM {table}")).await;
        denied(&mut app, &format!("TRUNCATE TABLE {table}")).await;
    }
    denied(
        &mut app,
        "REPLACE INTO audit_checkpoints VALUES ('', 0, '', NOW(), '')",
    )
    .await;
}

#[tokio::test]
async fn the_app_changes_no_schema_and_grants_nothing() {
    let scratch = Scratch::migrated().await;
    let mut app = scratch.connect("app").await;
    for statement in [
        "CREATE TABLE mine (id INT)",
        "ALTER TABLE people ADD COLUMN more INT",
        "DROP TABLE sessions",
        "DROP TABLE audit_events",
        "CREATE INDEX i ON people (created_at)",
        "CREATE TRIGGER t BEFORE INSERT ON people FOR EACH ROW SET NEW.role = 'clinician'",
        "CREATE VIEW everything AS SELECT * FROM people",
        "CREATE DATABASE mine",
        "CREATE USER 'mine'@'%'",
        "GRANT SELECT ON people TO 'auditor'@'%'",
        "SET GLOBAL general_log = ON",
        "LOAD DATA INFILE '/etc/passwd' INTO TABLE people",
    ] {
        let refused = app.execute(statement).await;
        assert!(refused.is_err(), "{statement}");
    }
    denied(&mut app, "DROP TABLE audit_events").await;
    denied(&mut app, "SELECT * FROM _sqlx_migrations").await;
}

#[tokio::test]
async fn history_is_not_the_apps_to_rewrite() {
    let scratch = Scratch::migrated().await;
    let mut app = scratch.connect("app").await;
    denied(&mut app, "UPDATE resource_versions SET version = 1").await;
    denied(&mut app, "DELETE FROM resource_versions").await;
    denied(&mut app, "DELETE FROM resources").await;
    denied(&mut app, "DELETE FROM `keys`").await;
    denied(&mut app, "DELETE FROM people").await;
    denied(&mut app, "UPDATE tokens SET role = 'clinician'").await;
    allowed(&mut app, "DELETE FROM sessions").await;
}

#[tokio::test]
async fn the_auditor_reads_the_trail_but_no_record_and_no_key_and_writes_nothing() {
    let scratch = Scratch::migrated().await;
    let mut auditor = scratch.connect("auditor").await;
    allowed(&mut auditor, "SELECT COUNT(*) FROM audit_events").await;
    allowed(&mut auditor, "SELECT COUNT(*) FROM audit_checkpoints").await;
    for table in [
        "resources",
        "resource_versions",
        "demographics",
        "`keys`",
        "people",
        "credentials",
        "sessions",
        "tokens",
        "audit_addresses",
    ] {
        denied(&mut auditor, &format!("SELECT * FROM {table}")).await;
    }
    denied(&mut auditor, "DELETE FROM audit_events").await;
    denied(
        &mut auditor,
        "INSERT INTO audit_sequencer VALUES (1, 1, '', NOW())",
    )
    .await;
}

#[tokio::test]
async fn the_backup_reads_every_table_and_writes_none() {
    let scratch = Scratch::migrated().await;
    let mut backup = scratch.connect("backup").await;
    for table in ["resource_versions", "`keys`", "people", "audit_events"] {
        allowed(&mut backup, &format!("SELECT COUNT(*) FROM {table}")).await;
        denied(&mut backup, &format!("DELETE FROM {table}")).await;
    }
    denied(&mut backup, "UPDATE people SET role = 'clinician'").await;
    denied(&mut backup, "CREATE TABLE mine (id INT)").await;
}
