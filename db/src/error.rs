//! The error type of all database operations.

use crate::FloorError;
use crate::ServerError;
use crate::demotion;

/// A failed database operation. It never contains a message of the server, because those quote values.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached, or no connection became free in time. A retry may help.
    #[error("the database is unavailable ({0})")]
    Unavailable(&'static str),
    /// A concurrent transaction changed the same rows, or the server rolled this one back in its favour. The whole
    /// transaction may be retried at once.
    #[error("a concurrent transaction changed the same rows")]
    Conflict,
    /// A row with this unique key exists.
    #[error("a row with the unique key {0} exists")]
    UniqueViolation(&'static str),
    /// The database returned a row that was not requested, or one row twice. Report it as tampering.
    #[error("the database returned a row of {0} that was not requested")]
    NotRequested(&'static str),
    /// A stored value does not have the form that the schema promises.
    #[error("a row of {0} is malformed")]
    Corrupt(&'static str),
    /// The release floor does not let this process write.
    #[error(transparent)]
    Floor(#[from] FloorError),
    /// Any other error: a programming error, or a schema that does not fit this build.
    #[error("{}", refused(*.0))]
    Unexpected(Option<ServerError>),
}

/// The unique keys that callers distinguish, as both servers name them at the end of their messages.
const UNIQUE_KEYS: [&str; 5] = [
    "patient_index_unique",
    "people_email",
    "organizations_name",
    "keys_owner",
    "resources_id",
];

impl Error {
    /// [`Error::Conflict`] unless a guarded update has changed exactly one row.
    pub(crate) fn unless_updated(rows: u64) -> Result<(), Self> {
        if rows == 1 {
            Ok(())
        } else {
            Err(Self::Conflict)
        }
    }
}

// Error numbers of MySQL and MariaDB.
const DUPLICATE_ENTRY: u16 = 1062;
const LOCK_WAIT_TIMEOUT: u16 = 1205;
const DEADLOCK: u16 = 1213;
/// A server that was demoted to read-only. Its connections are closed: see [`demotion`].
const READ_ONLY: [u16; 3] = [1290, 1792, 1836];
/// A server that shuts down, or accepts no more connections.
const SHUTTING_DOWN: [u16; 5] = [1040, 1053, 1077, 1152, 1927];

impl From<sqlx::Error> for Error {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the driver's error is non-exhaustive, and callers treat all others alike"
    )]
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(server) = &error {
            let server_error = server.try_downcast_ref().map(ServerError::of);
            return match server_error.map(|error| error.number) {
                Some(DUPLICATE_ENTRY) => Self::UniqueViolation(unique_key(server.message())),
                Some(DEADLOCK | LOCK_WAIT_TIMEOUT) => Self::Conflict,
                Some(n) if READ_ONLY.contains(&n) => {
                    demotion::record();
                    Self::Unavailable("the server is read-only")
                }
                Some(n) if SHUTTING_DOWN.contains(&n) => {
                    Self::Unavailable("the server is shutting down")
                }
                _ => Self::Unexpected(server_error),
            };
        }
        match error {
            sqlx::Error::Io(_) => Self::Unavailable("the connection was lost"),
            sqlx::Error::Tls(_) => Self::Unavailable("the TLS handshake failed"),
            sqlx::Error::PoolTimedOut => Self::Unavailable("no connection became free in time"),
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Unavailable("the pool is closed")
            }
            sqlx::Error::Protocol(_) => {
                Self::Unavailable("the connection received an unexpected packet")
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt("a table"),
            _ => Self::Unexpected(None),
        }
    }
}

/// The text of [`Error::Unexpected`].
fn refused(error: Option<ServerError>) -> String {
    match error {
        Some(error) => format!("the database refused a statement ({error})"),
        None => "a statement failed in the driver, without an error of the server".to_owned(),
    }
}

fn unique_key(message: &str) -> &'static str {
    UNIQUE_KEYS
        .into_iter()
        .find(|key| message.trim_end_matches('\'').ends_with(key))
        .unwrap_or("another unique key")
}
