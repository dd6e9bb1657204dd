//! Who is asking: made from a session or a token that was checked, and in no other way.

use std::net::IpAddr;

use audit::{Action, Event, Outcome, RecordReference};
use db::PersonId;
use phi::OrganizationId;
use telemetry::RequestId;
use time::OffsetDateTime;

use crate::services::access::Role;

/// Where a request comes from, whoever sends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestOrigin {
    /// The id that the web tier gave it.
    pub(crate) request: RequestId,
    /// The client's address, as the web tier saw it.
    pub(crate) source: Option<IpAddr>,
}

/// What a caller proved themselves with, by its stored hash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Proof {
    /// A session cookie.
    Session([u8; 32]),
    /// A bearer token.
    Token([u8; 32]),
}

/// A signed-in person or a client on their behalf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// The only organization whose rows they can name.
    pub(crate) organization: OrganizationId,
    /// Who.
    pub(crate) person: PersonId,
    /// In what role.
    pub(crate) role: Role,
    /// By what proof.
    pub(crate) proof: Proof,
    /// Of which request.
    pub(crate) origin: RequestOrigin,
}

impl Caller {
    /// An event that tells of this caller.
    pub(crate) fn event(
        &self,
        at: OffsetDateTime,
        action: Action,
        outcome: Outcome,
        records: Vec<RecordReference>,
    ) -> Event {
        Event {
            at,
            request: self.origin.request.uuid(),
            person: Some(self.person.0),
            role: Some(self.role.name().to_owned()),
            source: None,
            action,
            outcome,
            purpose: self.role.purpose(),
            records,
        }
    }
}
