//! The connection pool, and transactions. (`floor.rs` has the functions that begin one.)

use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::Executor as _;
use sqlx::MySql;
use sqlx::MySqlPool;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::mysql::MySqlPoolOptions;
use time::OffsetDateTime;

use crate::Error;
use crate::Settings;
use crate::demotion;
use crate::floor::FloorGate;

/// Statements that every new connection executes.
///
/// `READ COMMITTED` suffices, since every statement that locks rows names their keys; it avoids gap locks, on which two
/// imports of one chart would deadlock. Times are UTC.
const SESSION_SETUP: [&str; 2] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION time_zone = '+00:00', SESSION innodb_lock_wait_timeout = 10",
];

/// Idle time up to which a connection is used without a ping.
const MAX_IDLE_WITHOUT_PING: Duration = Duration::from_secs(1);

/// A pool of verified TLS connections to the database.
#[derive(Clone, Debug)]
pub struct Database {
    /// The pool, for statements that read. Statements that write use [`Self::writable`].
    pub(crate) pool: MySqlPool,
    pub(crate) gate: Arc<FloorGate>,
}

impl Database {
    /// Makes the pool. Connections are opened at first use, so that a process can start while the server is unavailable.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let options: MySqlConnectOptions = settings.connect_options().disable_statement_logging();
        let pool = MySqlPoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.acquire_timeout)
            // A connection that was used a moment ago is not pinged, since that would double the round trips. If
            // it was closed since, its next statement fails and the pool replaces it.
            .test_before_acquire(false)
            .before_acquire(|connection, state| {
                Box::pin(async move {
                    if demotion::is_outdated(state.age) {
                        return Ok(false);
                    }
                    if state.idle_for > MAX_IDLE_WITHOUT_PING {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_release(|_connection, state| {
                Box::pin(std::future::ready(Ok(!demotion::is_outdated(state.age))))
            })
            .after_connect(|connection, _| {
                Box::pin(async move {
                    for statement in SESSION_SETUP {
                        connection.execute(statement).await?;
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        Self {
            pool,
            gate: Arc::default(),
        }
    }

    /// Tests whether the server responds.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn ping(&self) -> Result<(), Error> {
        self.pool.execute("SELECT 1").await?;
        Ok(())
    }

    /// Closes every connection after its current statement.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A transaction. A commit is durable (`innodb_flush_log_at_trx_commit=1`, `sync_binlog=1`).
#[derive(Debug)]
pub struct Transaction {
    pub(crate) inner: sqlx::Transaction<'static, MySql>,
}

impl Transaction {
    /// Commits. After an error it is unknown whether the transaction is committed: the caller must read to find out.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.inner.commit().await?)
    }

    /// The time by the database's clock, in UTC.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn now(&mut self) -> Result<OffsetDateTime, Error> {
        let now = sqlx::query_scalar!(r#"SELECT UTC_TIMESTAMP(6) AS "now!: OffsetDateTime""#);
        Ok(now.fetch_one(&mut *self.inner).await?)
    }

    /// Rolls back.
    ///
    /// # Errors
    /// [`Error::Unavailable`]. The server then rolls back when it closes the connection.
    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.inner.rollback().await?)
    }
}
