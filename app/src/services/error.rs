//! The error of the services, free of HTTP.

use std::fmt::Display;
use std::time::Duration;

use db::FloorError;
use phi::KeyError;
use phi::OpenError;
use phi::OrganizationId;
use phi::Tampering;
use tokio::task::JoinError;

use crate::services::feed::AppendError;

/// The error of an operation of a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ServiceError {
    /// The session or token has ended, or the person may no longer act.
    #[error("sign-in is required")]
    SignInRequired,
    /// The policy does not permit the operation.
    #[error("the role does not allow this")]
    Forbidden,
    /// The operation requires a second factor, and the caller was authenticated without one.
    #[error("a second factor is required")]
    SecondFactorRequired,
    /// The operation requires that the caller has shown a second factor recently.
    #[error("a recent second factor is required")]
    StepUpRequired,
    /// The operation concerns a chart that the caller does not reach.
    #[error("the care team does not include the caller")]
    OutsideCareTeam,
    /// The scopes of the token do not cover the operation.
    #[error("the scopes of the token do not cover this")]
    InsufficientScope,
    /// The resource does not exist in the caller's organization.
    #[error("not found")]
    NotFound,
    /// The resource was deleted.
    #[error("deleted")]
    Gone,
    /// The operation is not supported; the text is for the client.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The result does not fit into a response.
    #[error("the response would be too long")]
    ResponseTooLarge,
    /// The budget of the request is used up; what is left of it may be sent in another request.
    #[error("earlier parts of the request used up its budget")]
    TooCostly,
    /// Too many attempts: seconds until the next one is allowed.
    #[error("too many attempts: wait {0} seconds")]
    TooManyAttempts(u32),
    /// The roster of patients is being built.
    #[error("the list of patients is being prepared: {percent} % are read")]
    Preparing {
        /// The part that is read, in percent from 0 to 99.
        percent: u8,
    },
    /// The organization has more patients, or longer names, than fit into a roster: its lists and
    /// searches fail until it has fewer.
    #[error("the organization has more patients than a roster holds")]
    RosterFull,
    /// A dependency or a budget is unavailable: seconds until a retry makes sense.
    #[error("unavailable: retry in {0} seconds")]
    Unavailable(u32),
    /// A failure of the server; the cause is in the log.
    #[error("the server failed")]
    Internal,
}

/// `Retry-After` of an unavailable dependency that names no time itself, in seconds.
const RETRY_AFTER_SECONDS: u32 = 5;

impl ServiceError {
    /// A failure of the server. Logs the cause, which the client does not see.
    pub(crate) fn internal(cause: impl Display) -> Self {
        tracing::error!(%cause, "request failed");
        Self::Internal
    }

    /// Too many attempts, the next of which is allowed after `wait`.
    pub(crate) fn too_many_attempts(wait: Duration) -> Self {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        Self::TooManyAttempts(seconds.saturating_add(1))
    }

    /// An unavailable dependency. Logs the cause, which the client does not see.
    pub(crate) fn unavailable(cause: impl Display) -> Self {
        tracing::warn!(%cause, "request cannot be served now");
        Self::Unavailable(RETRY_AFTER_SECONDS)
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
                let reason = "a row is malformed";
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
                        .unwrap_or(RETRY_AFTER_SECONDS)
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
    /// The message of a panic may contain PHI, and is not logged here. The panic hook logs its
    /// location.
    fn from(error: JoinError) -> Self {
        let is_panic = error.is_panic();
        tracing::error!(is_panic, "a task panicked or was cancelled");
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
            access::PermitError::Refused(access::Denial::Assurance) => Self::SecondFactorRequired,
            access::PermitError::Refused(access::Denial::Recency) => Self::StepUpRequired,
            access::PermitError::Refused(access::Denial::Reach) => Self::OutsideCareTeam,
            access::PermitError::Refused(access::Denial::Scope) => Self::InsufficientScope,
            access::PermitError::Refused(_) => Self::Forbidden,
            access::PermitError::Trail(error) => error.into(),
        }
    }
}
