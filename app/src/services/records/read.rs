//! One resource.

use audit::{Action, Outcome};
use uuid::Uuid;

use super::{Records, Stored, key_of, owner_of, reference};
use crate::services::access::{Permitted, ReadRecord};
use crate::services::caller::Caller;
use crate::services::error::ServiceError;
use crate::services::ledger::Disclosed;
use fhir::Compartment;

impl Records {
    /// The current version of a resource.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] also where it belongs to another organization; that it was asked for is
    /// recorded.
    pub(crate) async fn read(
        &self,
        caller: &Caller,
        permitted: &Permitted<ReadRecord>,
        id: Uuid,
    ) -> Result<Disclosed<Stored>, ServiceError> {
        let ReadRecord(kind) = *permitted.right();
        let organization = caller.organization;
        let found = self
            .database
            .current_version(organization, &key_of(kind, id))
            .await?;
        let now = self.clock.now();
        let Some((head, version)) = found else {
            let record = reference(kind, id, None, None);
            let event = caller.event(now, Action::Read, Outcome::NotFound, vec![record]);
            let _recorded = self
                .ledger
                .record(organization, caller.origin.source, event)
                .await?;
            return Err(ServiceError::NotFound);
        };
        let patient = (kind.compartment() == Compartment::Patient).then_some(head.owner);
        let record = reference(kind, id, Some(head.version), patient);
        let key = self.keys.authorization(organization).await?;
        let scope = self
            .keys
            .scope(organization, owner_of(kind, head.owner))
            .await?;
        let stored = Self::open(&key, &scope, head, version)?;
        let event = caller.event(now, Action::Read, Outcome::Success, vec![record]);
        let receipt = self
            .ledger
            .record(organization, caller.origin.source, event)
            .await?;
        Ok(receipt.disclose(stored))
    }
}
