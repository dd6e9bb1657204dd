//! The interface of the audit trail.

use audit::Action;
use audit::Outcome;
use time::OffsetDateTime;

use crate::Caller;
use crate::CallerEvent;
use crate::RefusalBudget;

/// The audit trail of an app instance.
///
/// An implementation is trusted: `commit` must return `Ok` only for an event that is durable.
pub trait Trail: Sync {
    /// The error for an event that could not be recorded.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Records an event durably.
    fn commit(&self, event: CallerEvent) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The current time, which events get.
    fn now(&self) -> OffsetDateTime;

    /// The budget of individually recorded refusals.
    fn refusals(&self) -> &RefusalBudget;
}

/// The event of a caller that ends its own session or token, for the transaction that does so.
#[must_use]
pub fn sign_out_event(caller: &Caller, at: OffsetDateTime) -> CallerEvent {
    CallerEvent::new(caller, at, Action::SignOut, Outcome::Success, Vec::new())
}
