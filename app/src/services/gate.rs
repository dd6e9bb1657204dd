//! Authorization of callers by the policy table; refusals are recorded in the audit trail.

use access::Action;
use access::Caller;
use access::Permitted;
use access::Subject;

use crate::services::error::ServiceError;
use crate::services::trail::AuditTrail;

/// The authorization service.
#[derive(Clone, Debug)]
pub(crate) struct Gate(AuditTrail);

impl Gate {
    /// An authorization service that records refusals in `trail`.
    pub(crate) const fn new(trail: AuditTrail) -> Self {
        Self(trail)
    }

    /// Authorizes `caller` for `action` on `subject`. A refusal is recorded before it is returned.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`] for a refusal; another error if the refusal cannot be recorded.
    pub(crate) async fn permit<'caller, A: Action>(
        &self,
        caller: &'caller Caller,
        action: A,
        subject: Subject,
    ) -> Result<Permitted<'caller, A>, ServiceError> {
        Ok(access::permit(&self.0, caller, action, subject).await?)
    }

    /// Refuses a caller that may do `action` on none of `contents`, before the contents of a
    /// request are known. A refusal is recorded as one of `action` on `request` before it is
    /// returned.
    ///
    /// # Errors
    ///
    /// See [`Gate::permit`].
    pub(crate) async fn admit<A: Action>(
        &self,
        caller: &Caller,
        action: A,
        request: Subject,
        contents: impl Iterator<Item = Subject>,
    ) -> Result<(), ServiceError> {
        Ok(access::admit(&self.0, caller, action, request, contents).await?)
    }
}
