//! The errors of writes.

use phi::Owner;

use super::Refusal;
use crate::services::error::ServiceError;
use crate::services::feed::AppendError;
use crate::services::trail::TrailError;

/// The error of [`Records::apply`]; nothing was written.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum ApplyError {
    /// The refused changes, at least one, in ascending order. The others were found to be possible.
    Refused(Vec<Refusal>),
    /// A condition on which a change depends finds something else now: conditions and changes have to be evaluated again.
    ConditionChanged,
    /// A failure that concerns no change in particular.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for ApplyError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// The error of one attempt at a write.
pub(super) enum WriteError {
    /// A concurrent transaction was first: the write may be retried.
    Conflict,
    /// An owner was not found, or is deleted. The next attempt reads all owners first, and refuses the changes concerned.
    UnverifiedOwner,
    /// The data of an owner was destroyed since the plan was made.
    Destroyed(Owner),
    /// A retry does not help.
    Final(ApplyError),
}

impl From<db::Error> for WriteError {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Conflict | db::Error::UniqueViolation(_) => Self::Conflict,
            db::Error::Unavailable(_)
            | db::Error::NotRequested(_)
            | db::Error::Corrupt(_)
            | db::Error::Floor(_)
            | db::Error::Unexpected(_) => Self::Final(error.into()),
        }
    }
}

impl From<TrailError> for WriteError {
    fn from(error: TrailError) -> Self {
        if let TrailError::Database(error) | TrailError::Feed(AppendError::Database(error)) = error
        {
            error.into()
        } else {
            Self::Final(error.into())
        }
    }
}

impl From<ApplyError> for WriteError {
    fn from(error: ApplyError) -> Self {
        Self::Final(error)
    }
}
