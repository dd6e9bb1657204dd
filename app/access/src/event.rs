//! Audit events of callers: made here and nowhere else.

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
/// The event's `source` is empty: the client's address is beside it, because its pseudonym needs a
/// key of the organization.
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

    /// The event that stands for `suppressed` more like this one, about records it does not name.
    pub(crate) fn standing_for(mut self, suppressed: u32) -> Self {
        self.event.suppressed = Some(suppressed);
        self.event.records = Vec::new();
        self
    }

    /// The event.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// The credential of the caller, by which a trail checks that it is still in force.
    #[must_use]
    pub const fn credential(&self) -> Credential {
        self.credential
    }

    /// The event, the organization whose log it enters, and the client's address.
    #[must_use]
    pub fn into_parts(self) -> (Event, OrganizationId, Option<IpAddr>) {
        (self.event, self.organization, self.source)
    }
}
