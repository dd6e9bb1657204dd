//! Sealing an event's body.

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
pub(super) const ENTRY: &str = "audit-entry";

/// Seals `event` under the organization's key of the event's year.
pub(crate) fn seal(scope: &ScopeKey, event: &Event) -> Result<SealedEvent, TrailError> {
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

/// The owner of events at `at`: their year.
pub(crate) fn audit_year(at: time::OffsetDateTime) -> Owner {
    Owner::AuditYear(u16::try_from(at.year()).unwrap_or_default())
}

/// Whether an entry's MAC was made with this authorization key of the system.
pub(crate) fn is_authentic(system: &AuthorizationKey, entry: &Entry, mac: &[u8; 32]) -> bool {
    system.verify_message(ENTRY, &entry.encode(), mac)
}
