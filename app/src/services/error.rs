//! Why a service did not do what was requested, without HTTP.

use std::fmt::Display;

use db::FloorError;
use phi::KeyError;
use phi::OpenError;
use phi::OrganizationId;
use phi::Tampering;
use tokio::task::JoinError;

use crate::services::feed::AppendError;

/// Why something was not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ServiceError {
    /// The session, token or person is no longer valid.
    #[error("sign-in is required")]
    SignInRequired,
    /// The role or the organization does not allow it.
    #[error("the role does not allow this")]
    Forbidden,
    /// There is no such thing in the caller's organization.
    #[error("not found")]
    NotFound,
    /// The service cannot do this yet; the text is for the client.
    #[error("{0}")]
    Unsupported(&'static str),
    /// What was requested does not fit into the response.
    #[error("the response would be too long")]
    ResponseTooLarge,
    /// Too many attempts: seconds until the next one is allowed.
    #[error("too many attempts: wait {0} seconds")]
    TooManyAttempts(u32),
    /// The list of patients is being read into memory: how much of it is, in percent.
    #[error("the list of patients is being prepared: {percent} % are read")]
    Preparing {
        /// From 0 to 99.
        percent: u8,
    },
    /// The organization has more patients, or longer names, than a roster holds: its lists and searches do not work until
    /// there are fewer.
    #[error("the organization has more patients than a roster holds")]
    RosterFull,
    /// A dependency is unavailable: seconds until a retry makes sense.
    #[error("unavailable: retry in {0} seconds")]
    Unavailable(u32),
    /// The server failed; the cause is in the log.
    #[error("the server failed")]
    Internal,
}

/// Seconds until clients retry, where nothing better is known.
const RETRY_AFTER: u32 = 5;

impl ServiceError {
    /// A failure of the server: logs the cause, which no client sees.
    pub(crate) fn internal(cause: impl Display) -> Self {
        tracing::error!(%cause, "request failed");
        Self::Internal
    }

    /// An unavailable dependency: logs which, which no client sees.
    pub(crate) fn unavailable(cause: impl Display) -> Self {
        tracing::warn!(%cause, "request cannot be served now");
        Self::Unavailable(RETRY_AFTER)
    }
}

impl From<db::Error> for ServiceError {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Unavailable(_) | db::Error::Conflict => Self::unavailable(error),
            db::Error::NotRequested(table) => {
                let reason = "the database returned a row that was not requested";
                Tampering::report(table, reason, OrganizationId::SYSTEM, None).into()
            }
            db::Error::Corrupt(table) => {
                let reason = "a row does not have the form that this stack writes";
                Tampering::report(table, reason, OrganizationId::SYSTEM, None).into()
            }
            db::Error::Floor(FloorError::Outdated { .. } | FloorError::Unverifiable) => {
                Self::unavailable(error)
            }
            // Tampering was reported where it was found.
            db::Error::Floor(FloorError::Tampered)
            | db::Error::UniqueViolation(_)
            | db::Error::Unexpected(_) => Self::internal(error),
        }
    }
}

impl From<KeyError> for ServiceError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Unavailable { retry_after } => {
                tracing::warn!(%error, "request cannot be served now");
                Self::Unavailable(
                    u32::try_from(retry_after.as_secs())
                        .unwrap_or(RETRY_AFTER)
                        .max(1),
                )
            }
            KeyError::Denied => Self::unavailable(error),
            KeyError::Missing | KeyError::Destroyed | KeyError::Corrupt => Self::internal(error),
        }
    }
}

impl From<OpenError> for ServiceError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Key(error) => error.into(),
            OpenError::Tampered(error) => error.into(),
        }
    }
}

impl From<AppendError> for ServiceError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Open(error) => error.into(),
            AppendError::Database(error) => error.into(),
        }
    }
}

impl From<Tampering> for ServiceError {
    /// Tampering was logged where it was found.
    fn from(error: Tampering) -> Self {
        Self::internal(error)
    }
}

impl From<JoinError> for ServiceError {
    /// The text of a panic may contain what was sent: the log says that there was one, and the panic hook where.
    fn from(error: JoinError) -> Self {
        let is_panic = error.is_panic();
        tracing::error!(is_panic, "a task did not end by itself");
        Self::Internal
    }
}

impl From<phi::SealError> for ServiceError {
    fn from(error: phi::SealError) -> Self {
        Self::internal(error)
    }
}

impl<E: Into<Self>> From<access::PermitError<E>> for ServiceError {
    fn from(error: access::PermitError<E>) -> Self {
        match error {
            access::PermitError::Refused(_) => Self::Forbidden,
            access::PermitError::Trail(error) => error.into(),
        }
    }
}
