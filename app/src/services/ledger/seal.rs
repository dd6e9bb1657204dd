//! From an event to what is stored of it.

use audit::{Body, Draft, Event, RowsDigest, Salt};
use phi::{OrganizationId, Owner, RowId, columns};

use super::{LedgerError, SealedEvent};
use crate::services::keys::Keys;

/// Seals `event` under the organization's key for the event's year.
pub(super) async fn seal(
    keys: &Keys,
    organization: OrganizationId,
    event: &Event,
) -> Result<SealedEvent, LedgerError> {
    let scope = keys
        .ensure_scope(organization, audit_year(event.at), event.at)
        .await?;
    let body = Body::encode(event, Salt(phi::random_bytes()))?;
    let row = RowId::random();
    Ok(SealedEvent {
        draft: Draft {
            event: row.uuid(),
            organization: organization.uuid(),
            at: event.at,
            commitment: body.commitment(),
            rows: RowsDigest::default(),
        },
        body: scope.seal(&columns::AUDIT_EVENTS_BODY, row, &body.as_bytes().to_vec())?,
    })
}

/// The owner of what is recorded at `at`.
pub(crate) fn audit_year(at: time::OffsetDateTime) -> Owner {
    Owner::AuditYear(u16::try_from(at.year()).unwrap_or_default())
}
