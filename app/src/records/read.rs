//! One resource.

use audit::{Action, Outcome};
use uuid::Uuid;

use super::{Records, Stored, key_of, owner_of, reference};
use crate::access::{Permitted, ReadRecord};
use crate::caller::Caller;
use crate::fhir::Compartment;
use crate::ledger::Disclosed;
use crate::problem::Problem;

impl Records {
    /// The current version of a resource.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`] also where it belongs to another organization; that it was asked for is
    /// recorded.
    pub(crate) async fn read(
        &self,
        caller: &Caller,
        permitted: &Permitted<ReadRecord>,
        id: Uuid,
    ) -> Result<Disclosed<Stored>, Problem> {
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
            return Err(Problem::NotFound);
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
