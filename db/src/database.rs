//! The pool, and transactions over it. They begin in `floor`.

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
use crate::floor::Gate;

/// Every row lock is named by a key that the statement names, so `READ COMMITTED` suffices and spares gap locks,
/// on which two imports of one chart would deadlock. Times are UTC.
const SESSION: [&str; 2] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION time_zone = '+00:00', SESSION innodb_lock_wait_timeout = 10",
];

/// For so long after its last use a connection is taken to live.
const TRUSTED: Duration = Duration::from_secs(1);

/// A pool of verified TLS connections to the database.
#[derive(Clone, Debug)]
pub struct Database {
    /// For statements that read. One that writes takes [`Self::writable`].
    pub(crate) pool: MySqlPool,
    pub(crate) gate: Arc<Gate>,
}

impl Database {
    /// Makes the pool. Connections are opened when first needed, so a server that is away does not keep a
    /// process from starting.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let options: MySqlConnectOptions = settings.connect_options().disable_statement_logging();
        let pool = MySqlPoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.acquire_timeout)
            // A connection that was in use just now is not asked whether it lives: that would double
            // the ways to the server. One that died since fails its next statement, and is replaced.
            .test_before_acquire(false)
            .before_acquire(|connection, state| {
                Box::pin(async move {
                    if demotion::outdates(state.age) {
                        return Ok(false);
                    }
                    if state.idle_for > TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_release(|_connection, state| {
                Box::pin(std::future::ready(Ok(!demotion::outdates(state.age))))
            })
            .after_connect(|connection, _| {
                Box::pin(async move {
                    for statement in SESSION {
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

    /// Asks the server for an answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn ping(&self) -> Result<(), Error> {
        self.pool.execute("SELECT 1").await?;
        Ok(())
    }

    /// Closes every connection once its current statement is done.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A transaction, durable once committed (`innodb_flush_log_at_trx_commit=1`, `sync_binlog=1`).
#[derive(Debug)]
pub struct Transaction {
    pub(crate) inner: sqlx::Transaction<'static, MySql>,
}

impl Transaction {
    /// Commits. After an error nobody knows whether the server did: the caller must ask.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.inner.commit().await?)
    }

    /// The database's clock, UTC.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn now(&mut self) -> Result<OffsetDateTime, Error> {
        let now = sqlx::query_scalar!(r#"SELECT UTC_TIMESTAMP(6) AS "now!: OffsetDateTime""#);
        Ok(now.fetch_one(&mut *self.inner).await?)
    }

    /// Gives everything back.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: the server then rolls back by itself.
    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.inner.rollback().await?)
    }
}
