//! Reads of the audit trail, recorded like every other access.

use std::collections::HashSet;

use access::Disclosed;
use access::List;
use access::Permitted;
use access::disclose;
use audit::Body;
use audit::Event;
use db::EventRow;
use phi::KeyError;
use phi::OrganizationId;
use phi::Requested;
use phi::RowId;
use phi::Tampering;

use super::AuditTrail;
use super::TrailError;
use super::seal::audit_year;
use super::seal::is_authentic;
use crate::limits::MAX_EVENTS_BYTES;
use crate::services::budget::Budget;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::read_batch::ReadBatch;

/// Memory of events that are being opened, as a multiple of their sealed bodies: the row, the body
/// in the clear, its parts, and the event.
const OPENED_PER_SEALED: usize = 4;

/// The latest events, formatted for a response.
pub(crate) struct LatestEvents<T> {
    /// The events, newest first.
    pub(crate) events: Vec<T>,
    /// Whether requested events are missing, because the response would be too long.
    pub(crate) is_truncated: bool,
    /// The memory of the events, and of the response with them.
    pub(crate) reserved: Reservation,
}

impl AuditTrail {
    /// The latest events of the caller's organization: as many as fit into [`MAX_EVENTS_BYTES`],
    /// and at least one. `format` returns an event's form in the response, and its length in bytes.
    /// Events that are written meanwhile are left out.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Internal`] if one of the events is not authentic;
    /// [`ServiceError::Unavailable`] also if the caller's memory budget is exhausted.
    pub(crate) async fn latest<T>(
        &self,
        permitted: &Permitted<'_, List>,
        memory: &Budget,
        limit: u32,
        format: impl Fn(&Event) -> Result<(T, usize), ServiceError>,
    ) -> Result<Disclosed<LatestEvents<T>>, ServiceError> {
        let organization = permitted.caller().organization();
        let caller = CallerId::of(permitted.caller());
        let mut latest = LatestEvents {
            events: Vec::new(),
            is_truncated: false,
            reserved: memory.reserve(caller, 0)?,
        };
        let lengths = self.database.latest_event_lengths(organization, limit);
        let lengths = lengths.await?;
        let mut rest = lengths.as_slice();
        let mut read = HashSet::new();
        let (mut skipped, mut bytes) = (0, 0_usize);
        'batches: while let Some(batch) = ReadBatch::first(rest, usize::MAX) {
            rest = rest.get(batch.rows..).unwrap_or_default();
            let _opened = memory.reserve(caller, OPENED_PER_SEALED * batch.bytes)?;
            let count = u32::try_from(batch.rows).unwrap_or(u32::MAX);
            let rows = self.database.latest_events(organization, skipped, count);
            for row in rows.await? {
                // Each event that was written since the last batch shifts the others by one, so
                // that the last events of that batch are read again.
                if !read.insert(row.entry.event) {
                    continue;
                }
                let event = self.open(organization, row).await?;
                let (formatted, length) = format(&event)?;
                bytes = bytes.saturating_add(length);
                if bytes > MAX_EVENTS_BYTES && !latest.events.is_empty() {
                    latest.is_truncated = true;
                    break 'batches;
                }
                // The event, and its copy in the response.
                latest.reserved.grow(2 * length)?;
                latest.events.push(formatted);
            }
            skipped = skipped.saturating_add(count);
        }
        Ok(disclose(self, permitted, &[], latest).await?)
    }

    async fn open(
        &self,
        organization: OrganizationId,
        row: EventRow,
    ) -> Result<Event, ServiceError> {
        let event = row.entry.event;
        let tampered =
            |reason| Tampering::report("audit_events", reason, organization, Some(event));
        let system = self
            .keys
            .authorization_by_id(OrganizationId::SYSTEM, row.mac_key)
            .await;
        let system = match system {
            Err(KeyError::Missing | KeyError::Corrupt | KeyError::Destroyed) => {
                return Err(tampered("the key of the MAC does not exist").into());
            }
            system => system?,
        };
        if !is_authentic(&system, &row.entry, &row.mac) {
            return Err(tampered("the MAC does not verify").into());
        }
        let at = row
            .entry
            .at()
            .ok_or_else(|| tampered("the event has no valid time"))?;
        let requested = Requested {
            organization,
            owner: audit_year(at),
            row: RowId::from_uuid(event),
        };
        let body = self.keys.open(requested, &row.body).await?;
        let decoded = Body::decode(body.expose(), row.entry.commitment);
        decoded.map_err(|_body| tampered("the body is not the committed one").into())
    }
}

impl From<TrailError> for ServiceError {
    fn from(error: TrailError) -> Self {
        match error {
            TrailError::Keys(error) => error.into(),
            TrailError::Open(error) => error.into(),
            TrailError::Database(error) => error.into(),
            TrailError::Feed(error) => error.into(),
            TrailError::Caller(error) => error,
            TrailError::Body(_) | TrailError::Seal(_) => Self::internal(error),
            TrailError::Clock | TrailError::FeedUnavailable | TrailError::Stopped => {
                Self::unavailable(error)
            }
        }
    }
}
