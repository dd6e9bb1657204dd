//! Migrations and grants, applied under the account `migrate`.

use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::Executor as _;
use sqlx::migrate::MigrateError;
use sqlx::migrate::Migrator;
use sqlx::mysql::MySqlConnection;

use crate::Error;
use crate::Settings;

/// The migrations of this release. Without the lock of `sqlx`, which has no effect on MariaDB and on MySQL remains after a
/// failed run on a pooled connection: [`run`] takes one itself, on a connection that it closes.
static MIGRATIONS: Migrator = Migrator {
    locking: false,
    ..sqlx::migrate!("./migrations")
};

/// The migrations of the next release, which the upgrade test applies.
#[cfg(feature = "next-release")]
static NEXT_RELEASE: Migrator = sqlx::migrate!("./next-release");

/// All migrations of this build.
#[cfg(not(feature = "next-release"))]
fn migrations() -> &'static Migrator {
    &MIGRATIONS
}

/// All migrations of this build.
#[cfg(feature = "next-release")]
fn migrations() -> Migrator {
    let all = [&MIGRATIONS, &NEXT_RELEASE].map(|migrator| migrator.migrations.iter().cloned());
    Migrator {
        migrations: all.into_iter().flatten().collect(),
        locking: false,
        ..sqlx::migrate!("./next-release")
    }
}

/// The grants, one file per account. `{{database}}` is replaced by the name of the database.
const GRANTS: [&str; 3] = [
    include_str!("../grants/app.sql"),
    include_str!("../grants/auditor.sql"),
    include_str!("../grants/backup.sql"),
];

/// The schema or the grants could not be brought up to date. It is safe to try again.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// Another process has held the lock for 30 seconds.
    #[error("another migration holds the lock: wait for it, or end it")]
    Locked,
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] Error),
    /// A migration failed, or the database was migrated by another version of this program.
    #[error("the schema cannot be migrated: {0}")]
    Schema(#[from] MigrateError),
    /// The name of the database would have to be quoted in SQL.
    #[error("the name of a database consists of a-z, 0-9 and _")]
    Name,
}

/// Applies all pending migrations, then all grants. May be run at any time, also twice at once.
///
/// # Errors
/// See [`MigrationError`].
pub async fn run(settings: &Settings) -> Result<(), MigrationError> {
    let name = &settings.database;
    if name.is_empty()
        || !name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    {
        return Err(MigrationError::Name);
    }
    let mut connection = connect(settings).await?;
    lock(&mut connection).await?;
    let outcome = migrate_and_grant(&mut connection, name).await;
    // Closing the connection releases the lock, also after a failure.
    connection.close().await.map_err(Error::from)?;
    outcome
}

async fn connect(settings: &Settings) -> Result<MySqlConnection, Error> {
    Ok(settings
        .connect_options()
        .disable_statement_logging()
        .connect()
        .await?)
}

async fn lock(connection: &mut MySqlConnection) -> Result<(), MigrationError> {
    let taken: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK('stack migration', 30)")
        .fetch_one(connection)
        .await
        .map_err(Error::from)?;
    if taken == Some(1) {
        Ok(())
    } else {
        Err(MigrationError::Locked)
    }
}

async fn migrate_and_grant(
    connection: &mut MySqlConnection,
    name: &str,
) -> Result<(), MigrationError> {
    migrations()
        .run_direct(None, &mut *connection, false)
        .await?;
    for grants in GRANTS {
        for statement in statements(grants, name) {
            connection
                .execute(AssertSqlSafe(statement))
                .await
                .map_err(Error::from)?;
        }
    }
    Ok(())
}

/// The statements of a file. Its comments must be lines of their own, and no statement may contain a semicolon.
fn statements(file: &str, database: &str) -> Vec<String> {
    let text: String = file
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(|line| [line, "\n"])
        .collect();
    text.replace("{{database}}", database)
        .split(';')
        .map(|statement| statement.trim().to_owned())
        .filter(|statement| !statement.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_is_never_granted_to_change_or_delete_what_is_audited() {
        for statement in statements(include_str!("../grants/app.sql"), "stack") {
            if statement.contains(".audit_") {
                assert!(
                    statement.starts_with("GRANT SELECT, INSERT ON")
                        || statement.starts_with("GRANT SELECT ON"),
                    "{statement}"
                );
            }
        }
    }

    #[test]
    fn no_account_but_migrate_is_granted_anything_on_the_schema() {
        for grants in GRANTS {
            for statement in statements(grants, "stack") {
                for word in ["ALTER", "DROP", "CREATE", "ALL ", "GRANT OPTION"] {
                    assert!(!statement.contains(word), "{statement}");
                }
            }
        }
    }
}
