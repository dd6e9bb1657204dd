//! The reader of several stored resources: a caller in an organization, with the budget of the request.

use access::Action;
use access::Permitted;
use phi::OrganizationId;

use crate::services::budget::CallerId;
use crate::services::error::ServiceError;
use crate::services::request_budget::RequestBudget;

/// A caller that searches, or reads several resources.
#[derive(Clone, Copy)]
pub(super) struct Reader<'b> {
    /// The organization whose resources are read.
    pub(super) organization: OrganizationId,
    /// The caller, whose memory budget is used.
    pub(super) caller: CallerId,
    /// The budget of the request, which is charged.
    pub(super) budget: &'b RequestBudget,
}

impl<'b> Reader<'b> {
    /// The reader of a permitted interaction that begins.
    ///
    /// # Errors
    ///
    /// [`ServiceError::TooCostly`] if the budget of the request is used up.
    pub(super) fn begin<A: Action>(
        permitted: &Permitted<'_, A>,
        budget: &'b RequestBudget,
    ) -> Result<Self, ServiceError> {
        budget.admit()?;
        let caller = permitted.caller();
        Ok(Self {
            organization: caller.organization(),
            caller: CallerId::of(caller),
            budget,
        })
    }
}
