//! The keys of audit years: made with their owner when the first event of a year is written.

use std::sync::Arc;

use audit::{Action, Event, Outcome, PurposeOfUse};
use phi::{KeyError, OrganizationId, Owner, ScopeKey, Tampering};
use time::OffsetDateTime;
use uuid::Uuid;

use super::seal::{audit_year, seal};
use super::{AuditTrail, TrailError};
use crate::services::owners::{OpenOwner, new_owner_row};
use crate::services::written::written;

impl AuditTrail {
    /// The scope key of an organization's audit year, made now if it is the year's first event.
    pub(super) async fn audit_scope(
        &self,
        organization: OrganizationId,
        at: OffsetDateTime,
    ) -> Result<Arc<ScopeKey>, TrailError> {
        let owner = audit_year(at);
        match self.keys.scope(organization, owner).await {
            Err(KeyError::Missing) => self.begin_year(organization, owner, at).await,
            scope => Ok(scope?),
        }
    }

    /// Makes a year's key and owner. The organization's own owner row says which year was the last to get one, so
    /// that a key that was hidden is not replaced.
    async fn begin_year(
        &self,
        organization: OrganizationId,
        owner: Owner,
        at: OffsetDateTime,
    ) -> Result<Arc<ScopeKey>, TrailError> {
        let Owner::AuditYear(year) = owner else {
            return Err(KeyError::Missing.into());
        };
        let authorization = self.keys.authorization(organization).await?;
        let new = self.keys.new_scope(organization, owner, at).await?;
        let mut transaction = self.database.begin().await?;
        let itself = Owner::of_organization(organization);
        let row = transaction.lock_owner(organization, &itself).await?;
        let mut open = OpenOwner::open(&self.keys, organization, itself, row).await?;
        if open.audit_year() >= Some(year) {
            // Another instance was first, or the key is hidden: the second attempt decides.
            drop(transaction);
            let scope = self.keys.scope(organization, owner).await;
            return match scope {
                Err(KeyError::Missing) => Err(hidden(organization).into()),
                scope => Ok(scope?),
            };
        }
        let before = open.mac();
        open.set_audit_year(year);
        let own_row = open.resealed(&authorization)?;
        let year_row = new_owner_row(&authorization, &new.scope, None)?;
        let rows = vec![written(&own_row), written(&year_row), written(&new.row)];
        transaction.update_owner(&own_row, &before).await?;
        transaction
            .insert_owners(std::slice::from_ref(&year_row))
            .await?;
        transaction
            .insert_keys(std::slice::from_ref(&new.row))
            .await?;
        let event = system_event(organization, at, Action::KeyOperation);
        let event = seal(&new.scope, &event)?.listing(rows);
        self.commit_with(transaction, event).await?;
        Ok(new.scope)
    }
}

fn hidden(organization: OrganizationId) -> phi::OpenError {
    let reason = "the key of an audit year that has one is missing";
    Tampering::report("keys", reason, organization, None).into()
}

/// An event of the system itself, without a caller.
pub(crate) fn system_event(
    organization: OrganizationId,
    at: OffsetDateTime,
    action: Action,
) -> Event {
    Event {
        at,
        request: Uuid::nil(),
        organization: organization.uuid(),
        person: None,
        role: None,
        session: None,
        assurance: None,
        source: None,
        action,
        outcome: Outcome::Success,
        purpose: PurposeOfUse::Administration,
        suppressed: None,
        records: Vec::new(),
    }
}
