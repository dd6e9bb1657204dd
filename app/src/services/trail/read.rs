//! Reading the trail back, on record like every other access.

use access::{Disclosed, List, Permitted, disclose};
use audit::{Body, Event};
use db::EventRow;
use phi::{KeyError, OrganizationId, Requested, RowId, Tampering};

use super::seal::{audit_year, is_authentic};
use super::{AuditTrail, TrailError};
use crate::services::error::ServiceError;

impl AuditTrail {
    /// The latest events of the caller's organization, the newest first.
    ///
    /// # Errors
    ///
    /// One event that was not written by this stack refuses them all.
    pub(crate) async fn latest(
        &self,
        permitted: &Permitted<'_, List>,
        limit: u32,
    ) -> Result<Disclosed<Vec<Event>>, ServiceError> {
        let organization = permitted.caller().organization();
        let mut events = Vec::new();
        for row in self.database.latest_events(organization, limit).await? {
            events.push(self.open(organization, row).await?);
        }
        Ok(disclose(self, permitted, &[], events).await?)
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
                return Err(tampered("the MAC names no key that may verify it").into());
            }
            system => system?,
        };
        if !is_authentic(&system, &row.entry, &row.mac) {
            return Err(tampered("the MAC does not verify").into());
        }
        let at = row
            .entry
            .at()
            .ok_or_else(|| tampered("the event has no time"))?;
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
            TrailError::Clock | TrailError::Unread | TrailError::Stopped => {
                Self::unavailable(error)
            }
        }
    }
}
