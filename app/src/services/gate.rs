//! Authorization of callers: the policy table, with refusals on record.

use access::Action;
use access::Caller;
use access::Permitted;
use access::Subject;

use crate::services::error::ServiceError;
use crate::services::trail::AuditTrail;

/// Authorizes callers.
#[derive(Clone, Debug)]
pub(crate) struct Gate(AuditTrail);

impl Gate {
    /// A gate that records refusals in `trail`.
    pub(crate) const fn new(trail: AuditTrail) -> Self {
        Self(trail)
    }

    /// Decides whether `caller` may do `action` on `subject`. A refusal is recorded before it is returned.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], or why the refusal could not be recorded.
    pub(crate) async fn permit<'caller, A: Action>(
        &self,
        caller: &'caller Caller,
        action: A,
        subject: Subject,
    ) -> Result<Permitted<'caller, A>, ServiceError> {
        Ok(access::permit(&self.0, caller, action, subject).await?)
    }

    /// Decides whether `caller` may do anything with some of `contents`, before it is known what a request contains. A
    /// refusal is recorded as one of `action` on `request` before it is returned.
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
