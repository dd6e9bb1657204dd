//! Audit events of callers. Only this crate constructs them.

use std::net::IpAddr;

use audit::Action;
use audit::Event;
use audit::Outcome;
use audit::RecordReference;
use time::OffsetDateTime;

use crate::Caller;
use crate::Credential;
use crate::ids::OrganizationId;

/// An audit event of a caller, not yet recorded.
///
/// The event's `source` is empty. The client's address is a separate field, because its pseudonym
/// requires a key of the organization, which this crate does not have.
#[derive(Clone, Debug)]
pub struct CallerEvent {
    event: Event,
    organization: OrganizationId,
    source: Option<IpAddr>,
    credential: Credential,
}

impl CallerEvent {
    pub(crate) fn new(
        caller: &Caller,
        at: OffsetDateTime,
        action: Action,
        outcome: Outcome,
        records: Vec<RecordReference>,
    ) -> Self {
        Self {
            event: Event {
                at,
                request: caller.origin().request,
                organization: caller.organization().uuid(),
                person: Some(caller.person()),
                role: Some(caller.role().name().to_owned()),
                session: Some(caller.session()),
                assurance: Some(caller.assurance()),
                source: None,
                action,
                outcome,
                purpose: caller.role().purpose(),
                suppressed: None,
                records,
            },
            organization: caller.organization(),
            source: caller.origin().source,
            credential: caller.credential(),
        }
    }

    /// The event as the summary of `suppressed` further events like it, whose records it does not name.
    pub(crate) fn into_summary(mut self, suppressed: u32) -> Self {
        self.event.suppressed = Some(suppressed);
        self.event.records = Vec::new();
        self
    }

    /// The event.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// The caller's credential, by which a trail verifies that it is not revoked.
    #[must_use]
    pub const fn credential(&self) -> Credential {
        self.credential
    }

    /// The event, the organization whose log records it, and the client's address.
    #[must_use]
    pub fn into_parts(self) -> (Event, OrganizationId, Option<IpAddr>) {
        (self.event, self.organization, self.source)
    }
}
