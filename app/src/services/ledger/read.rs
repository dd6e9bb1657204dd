//! Reading the trail back, on record like every other access.

use audit::{Action, Body, Event, Outcome, RecordReference};
use db::EventRow;
use phi::{AuthorizationKey, Forged, OrganizationId, RowId, columns};
use time::OffsetDateTime;

use super::seal::audit_year;
use super::{Disclosed, Ledger};
use crate::services::access::{Permitted, ViewAudit};
use crate::services::caller::Caller;
use crate::services::error::ServiceError;

impl Ledger {
    /// The latest events of the caller's organization, newest first.
    ///
    /// # Errors
    ///
    /// One event that was not written by this stack refuses them all.
    pub(crate) async fn latest(
        &self,
        caller: &Caller,
        _permitted: &Permitted<ViewAudit>,
        at: OffsetDateTime,
        limit: u32,
    ) -> Result<Disclosed<Vec<Event>>, ServiceError> {
        let system = self.keys.authorization(OrganizationId::SYSTEM).await?;
        let mut events = Vec::new();
        for row in self
            .database
            .latest_events(caller.organization, limit)
            .await?
        {
            events.push(self.open(&system, caller.organization, row).await?);
        }
        let record = RecordReference {
            kind: "audit".to_owned(),
            id: None,
            version: None,
            patient: None,
        };
        let event = caller.event(at, Action::Search, Outcome::Success, vec![record]);
        let receipt = self
            .record(caller.organization, caller.origin.source, event)
            .await?;
        Ok(receipt.disclose(events))
    }

    async fn open(
        &self,
        system: &AuthorizationKey,
        organization: OrganizationId,
        row: EventRow,
    ) -> Result<Event, ServiceError> {
        if !system.verify_mac("audit-entry", &row.entry.encode(), &row.mac) {
            tracing::error!(
                security = true,
                "an audit event was not written by this stack"
            );
            return Err(Forged.into());
        }
        let at = row
            .entry
            .at()
            .ok_or_else(|| ServiceError::internal("an audit event has no time"))?;
        let scope = self.keys.scope(organization, audit_year(at)).await?;
        let event = RowId::from_uuid(row.entry.event);
        let body = scope.open(&columns::AUDIT_EVENTS_BODY, event, &row.body)?;
        Body::decode(body.expose(), row.entry.commitment).map_err(ServiceError::internal)
    }
}
