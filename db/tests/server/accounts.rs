//! The rights of each account, as the server enforces them.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::Executor as _;
use sqlx::Row as _;
use sqlx::mysql::MySqlConnection;
use sqlx::mysql::MySqlDatabaseError;

use super::scratch::Scratch;

/// Error numbers for a statement that an account has no right to: on a database, a table, a column, or as an
/// administrator.
const DENIED: [u16; 5] = [1044, 1142, 1143, 1227, 1410];

async fn denied(connection: &mut MySqlConnection, statement: &str) {
    let error = connection
        .execute(AssertSqlSafe(statement))
        .await
        .expect_err(statement);
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
    if let Err(error) = connection.execute(AssertSqlSafe(statement)).await {
        panic!("{statement}: {error}");
    }
}

/// Every table of the schema with its columns, as the server lists them.
async fn schema(scratch: &Scratch) -> BTreeMap<String, Vec<String>> {
    let mut connection = scratch.connect("migrate").await;
    let rows = connection
        .fetch_all(
            "SELECT table_name, column_name FROM information_schema.columns
             WHERE table_schema = DATABASE() AND table_name <> '_sqlx_migrations'
             ORDER BY table_name, ordinal_position",
        )
        .await
        .unwrap();
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        tables
            .entry(row.get_unchecked(0))
            .or_default()
            .push(row.get_unchecked(1));
    }
    tables
}

/// The columns that the app may update, by table. It may update none of any other table.
const CHANGEABLE: [(&str, &[&str]); 14] = [
    ("organizations", &["chart_access", "mac_key", "mac"]),
    (
        "care_team_members",
        &["added_at", "added_by", "ended_at", "mac_key", "mac"],
    ),
    (
        "emergency_accesses",
        &[
            "reviewed_at",
            "reviewed_by",
            "appropriate",
            "finding",
            "mac_key",
            "mac",
        ],
    ),
    (
        "owners",
        &[
            "state",
            "holds",
            "key_version",
            "tombstone",
            "audit_year",
            "heads",
            "mac_key",
            "mac",
        ],
    ),
    (
        "people",
        &["role", "active", "sessions_since", "mac_key", "mac"],
    ),
    (
        "credentials",
        &[
            "password",
            "changed_at",
            "second_factor_at",
            "authenticator_changes",
            "recovery_codes_at",
            "mac_key",
            "mac",
        ],
    ),
    (
        "authenticators",
        &[
            "confirmed_at",
            "last_counter",
            "challenged_at",
            "ended_at",
            "mac_key",
            "mac",
        ],
    ),
    (
        "clients",
        &["scopes", "jwks", "keys_at", "ended_at", "mac_key", "mac"],
    ),
    ("exports", &["state", "ended_at", "mac_key", "mac"]),
    ("sessions", &["seen_at", "ended_at", "mac_key", "mac"]),
    ("sign_in_attempts", &["free_at"]),
    (
        "resources",
        &[
            "version",
            "version_row",
            "updated_at",
            "version_digest",
            "deleted",
            "mac_key",
            "mac",
        ],
    ),
    (
        "change_counters",
        &["sequence", "digest", "access", "mac_key", "mac"],
    ),
    ("release_floor", &["lowest", "raised_at", "mac_key", "mac"]),
];

/// The tables from which the app may delete: rows that expire or are replaced.
const DELETABLE: [&str; 7] = [
    "client_assertions",
    "demographics",
    "patient_index",
    "search_summaries",
    "sessions",
    "sign_in_addresses",
    "sign_in_attempts",
];

#[tokio::test]
async fn the_app_changes_no_key_column_and_deletes_only_what_expires_or_is_replaced() {
    let scratch = Scratch::migrated().await;
    let tables = schema(&scratch).await;
    let mut app = scratch.connect("app").await;
    for (table, columns) in &tables {
        allowed(&mut app, &format!("SELECT COUNT(*) FROM `{table}`")).await;
        let changeable = CHANGEABLE.iter().find(|(name, _)| name == table);
        let changeable = changeable.map_or(&[][..], |(_, columns)| *columns);
        for column in columns {
            // Sets the column to itself, which changes nothing and needs the right nevertheless.
            let update = format!("UPDATE `{table}` SET `{column}` = `{column}`");
            if changeable.contains(&column.as_str()) {
                allowed(&mut app, &update).await;
            } else {
                denied(&mut app, &update).await;
            }
        }
        let delete = format!("DELETE FROM `{table}`");
        if DELETABLE.contains(&table.as_str()) {
            allowed(&mut app, &delete).await;
        } else {
            denied(&mut app, &delete).await;
        }
        denied(&mut app, &format!("TRUNCATE TABLE `{table}`")).await;
    }
    let known = CHANGEABLE
        .iter()
        .all(|(table, _)| tables.contains_key(*table));
    assert!(known && DELETABLE.iter().all(|table| tables.contains_key(*table)));
}

#[tokio::test]
async fn the_app_replaces_nothing_in_the_audit_trail() {
    let scratch = Scratch::migrated().await;
    let mut app = scratch.connect("app").await;
    let tables = schema(&scratch).await;
    let audit = tables.keys().filter(|table| table.starts_with("audit_"));
    let mut seen = 0;
    for table in audit.filter(|table| *table != "audit_sequencer") {
        seen += 1;
        denied(
            &mut app,
            &format!("REPLACE INTO {table} SELECT * FROM {table}"),
        )
        .await;
        denied(
            &mut app,
            &format!(
                "INSERT INTO {table} SELECT * FROM {table} AS t
                 ON DUPLICATE KEY UPDATE organization = {table}.organization"
            ),
        )
        .await;
    }
    assert_eq!(seen, 5);
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
async fn the_auditor_reads_the_trail_but_no_record_and_no_key_and_writes_nothing() {
    let scratch = Scratch::migrated().await;
    let mut auditor = scratch.connect("auditor").await;
    allowed(&mut auditor, "SELECT COUNT(*) FROM audit_events").await;
    allowed(&mut auditor, "SELECT COUNT(*) FROM audit_rows").await;
    allowed(&mut auditor, "SELECT COUNT(*) FROM audit_checkpoints").await;
    for table in [
        "resources",
        "resource_versions",
        "search_summaries",
        "demographics",
        "`keys`",
        "people",
        "credentials",
        "authenticators",
        "care_team_members",
        "emergency_accesses",
        "clients",
        "client_assertions",
        "sessions",
        "exports",
        "sign_in_attempts",
        "sign_in_addresses",
        "owners",
        "index_versions",
        "patient_index",
        "changes",
        "change_counters",
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
