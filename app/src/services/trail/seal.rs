//! Sealing and authentication of events.

use audit::Body;
use audit::Entry;
use audit::Event;
use audit::RowsCommitment;
use audit::Seed;
use audit::UnplacedEvent;
use phi::AuthorizationKey;
use phi::Owner;
use phi::RowId;
use phi::ScopeKey;

use super::SealedEvent;
use super::TrailError;

/// The label of the MAC over an entry.
pub(super) const ENTRY_LABEL: &str = "audit-entry";

/// Seals an event without a caller under `scope`: the organization's key of the event's year.
pub(crate) fn seal_event_under(scope: &ScopeKey, event: &Event) -> Result<SealedEvent, TrailError> {
    let body = Body::encode(event, Seed(phi::random_bytes()))?;
    let row = RowId::random();
    Ok(SealedEvent {
        unplaced: UnplacedEvent {
            event: row.uuid(),
            organization: event.organization,
            at: event.at,
            commitment: body.commitment(),
            rows: RowsCommitment::of(&[]),
        },
        body: scope.seal(row, &body.to_bytes())?,
        rows: Vec::new(),
        changes: Vec::new(),
        caller: None,
    })
}

/// The owner of events at this time: the audit year.
pub(crate) fn audit_year(at: time::OffsetDateTime) -> Owner {
    Owner::AuditYear(u16::try_from(at.year()).unwrap_or_default())
}

/// Whether the MAC of an entry verifies with this authorization key of the system.
pub(crate) fn is_authentic(system: &AuthorizationKey, entry: &Entry, mac: &[u8; 32]) -> bool {
    system.verify_message(ENTRY_LABEL, &entry.encode(), mac)
}
