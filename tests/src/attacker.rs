//! An attacker with the certificate of a database account: raw SQL, without the app's rules.

use anyhow::Context;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::MySqlConnection;
use sqlx::Row as _;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::mysql::MySqlRow;
use sqlx::mysql::MySqlSslMode;
use stack::Status;
use uuid::Uuid;

/// A connection to the database as one of its accounts.
#[derive(Debug)]
pub struct Attacker {
    connection: MySqlConnection,
}

impl Attacker {
    /// Connects with the certificate of an account: `app`, `migrate`, `backup` or `auditor`.
    ///
    /// # Errors
    /// When the server refuses the connection.
    pub async fn connect(status: &Status, account: &str) -> anyhow::Result<Self> {
        let folder = &status.certificates;
        let options = MySqlConnectOptions::new()
            .host(&status.database.host)
            .port(status.database.port)
            .database(&status.database.name)
            .username(account)
            .ssl_mode(MySqlSslMode::VerifyIdentity)
            .ssl_ca(folder.join("internal/ca.pem"))
            .ssl_client_cert(folder.join(format!("database/{account}.pem")))
            .ssl_client_key(folder.join(format!("database/{account}.key")))
            .charset("utf8mb4")
            .disable_statement_logging();
        let mut connection = MySqlConnection::connect_with(&options)
            .await
            .with_context(|| format!("the database refuses {account}"))?;
        // Under REPEATABLE READ a statement that scans a table locks all of its rows, and the server ends concurrent writes of
        // the stack as deadlocked, again and again.
        sqlx::query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .execute(&mut connection)
            .await?;
        Ok(Self { connection })
    }

    /// Executes a statement with byte strings for its parameters. Returns the number of affected
    /// rows.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn execute(&mut self, sql: &str, values: &[&[u8]]) -> Result<u64, sqlx::Error> {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = query.bind(*value);
        }
        Ok(query.execute(&mut self.connection).await?.rows_affected())
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn rows(
        &mut self,
        sql: &str,
        values: &[&[u8]],
    ) -> Result<Vec<MySqlRow>, sqlx::Error> {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = query.bind(*value);
        }
        query.fetch_all(&mut self.connection).await
    }

    /// The first column of the first row, as bytes.
    ///
    /// # Errors
    /// When there is no row, or the server refuses the query.
    pub async fn bytes(&mut self, sql: &str, values: &[&[u8]]) -> anyhow::Result<Vec<u8>> {
        let rows = self.rows(sql, values).await?;
        let row = rows.first().with_context(|| format!("no row: {sql}"))?;
        row.try_get_unchecked(0).context("the column has no bytes")
    }

    /// The first column of the first row, as a number.
    ///
    /// # Errors
    /// When there is no row, or the server refuses the query.
    pub async fn number(&mut self, sql: &str, values: &[&[u8]]) -> anyhow::Result<i64> {
        let rows = self.rows(sql, values).await?;
        let row = rows.first().with_context(|| format!("no row: {sql}"))?;
        row.try_get_unchecked(0).context("the column has no number")
    }

    /// The id of the organization whose name begins with `word`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn organization(&mut self, word: &str) -> anyhow::Result<Uuid> {
        let like = format!("{word}%");
        let bytes = self
            .bytes(
                "SELECT organization FROM organizations WHERE name LIKE CONVERT(? USING utf8mb4)",
                &[like.as_bytes()],
            )
            .await?;
        Uuid::from_slice(&bytes).context("an organization's id has 16 bytes")
    }
}
