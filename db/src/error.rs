//! What can go wrong at the database, as callers tell it apart.

/// A failed statement. Server messages are dropped here: they quote values.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server is away, or no connection came free in time. Worth trying again.
    #[error("the database cannot be reached ({0})")]
    Unavailable(&'static str),
    /// The server ended this transaction in favour of another. Worth trying again at once.
    #[error("the database ended this transaction in favour of another")]
    Contended,
    /// A row with this unique key is there already.
    #[error("a row with the unique key {0} is there already")]
    AlreadyThere(&'static str),
    /// A stored value does not have the form that the schema promises.
    #[error("a row of {0} is malformed")]
    Corrupt(&'static str),
    /// Anything else: a programming error, or a schema that does not fit.
    #[error("the database refused a statement (server error {0:?})")]
    Unexpected(Option<u16>),
}

/// The unique keys that callers tell apart, as both servers spell them at the end of their messages.
const UNIQUE_KEYS: [&str; 5] = [
    "demographics_mrn",
    "people_email",
    "organizations_name",
    "keys_owner",
    "resources_id",
];

const DUPLICATE_ENTRY: u16 = 1062;
const LOCK_WAIT_TIMEOUT: u16 = 1205;
const DEADLOCK: u16 = 1213;
const SHUTTING_DOWN: [u16; 5] = [1040, 1053, 1077, 1152, 1927];

impl From<sqlx::Error> for Error {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the driver's list of errors is open, and callers treat the rest alike"
    )]
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(server) = &error {
            let number = server
                .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
                .map(sqlx::mysql::MySqlDatabaseError::number);
            return match number {
                Some(DUPLICATE_ENTRY) => Self::AlreadyThere(unique_key(server.message())),
                Some(DEADLOCK | LOCK_WAIT_TIMEOUT) => Self::Contended,
                Some(n) if SHUTTING_DOWN.contains(&n) => Self::Unavailable("shutting down"),
                other => Self::Unexpected(other),
            };
        }
        match error {
            sqlx::Error::Io(_) => Self::Unavailable("connection lost"),
            sqlx::Error::Tls(_) => Self::Unavailable("TLS refused"),
            sqlx::Error::PoolTimedOut => Self::Unavailable("no connection came free"),
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Unavailable("pool closed")
            }
            sqlx::Error::Protocol(_) => Self::Unavailable("connection out of step"),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt("a table"),
            _ => Self::Unexpected(None),
        }
    }
}

fn unique_key(message: &str) -> &'static str {
    UNIQUE_KEYS
        .into_iter()
        .find(|key| message.trim_end_matches('\'').ends_with(key))
        .unwrap_or("another unique key")
}
