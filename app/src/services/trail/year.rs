//! The keys of audit years: made with their owner when the first event of a year is written.

use std::sync::Arc;

use audit::Action;
use audit::Event;
use audit::Outcome;
use audit::PurposeOfUse;
use db::Transaction;
use phi::KeyError;
use phi::OrganizationId;
use phi::Owner;
use phi::ScopeKey;
use phi::Tampering;
use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use super::AuditTrail;
use super::TrailError;
use super::seal::audit_year;
use super::seal::seal;
use crate::services::owners::LockedOwner;
use crate::services::owners::new_owner_row;
use crate::services::written::written;

/// The furthest that an instance's clock may be from the database's when a year begins.
const SLACK: Duration = Duration::DAY;

impl AuditTrail {
    /// The scope key of an organization's audit year, made now if it is the year's first event.
    pub(super) async fn audit_scope(
        &self,
        organization: OrganizationId,
        at: OffsetDateTime,
    ) -> Result<Arc<ScopeKey>, TrailError> {
        let owner = audit_year(at);
        match self.keys.scope(organization, owner).await {
            Err(KeyError::Missing) => {}
            scope => return Ok(scope?),
        }
        // One at a time: others would each hold a connection while they wait for the organization's row.
        let _turn = self.beginning.lock().await;
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
        ensure_due(&mut transaction, at).await?;
        let locked = LockedOwner::lock(&self.keys, &mut transaction, organization, itself).await;
        let mut open = locked?;
        if open.audit_year() >= Some(year) {
            drop(transaction);
            return self.begun_year(organization, owner).await;
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

    /// The key of a year that has one by its organization's row: another instance was first, or the key is hidden.
    ///
    /// The keyring shares the failure of a load among those that arrived while it ran, and the first load here may have
    /// begun before the other instance committed. The second arrives after that failure, so it runs by itself or shares
    /// a load that began later.
    async fn begun_year(
        &self,
        organization: OrganizationId,
        owner: Owner,
    ) -> Result<Arc<ScopeKey>, TrailError> {
        for _ in 0..2 {
            match self.keys.scope(organization, owner).await {
                Err(KeyError::Missing) => {}
                scope => return Ok(scope?),
            }
        }
        Err(hidden(organization).into())
    }
}

/// Refuses to begin the audit year of `at` unless the database's clock is near to that year.
pub(crate) async fn ensure_due(
    transaction: &mut Transaction,
    at: OffsetDateTime,
) -> Result<(), TrailError> {
    let now = transaction.now().await?;
    if is_due(audit_year(at), now) {
        return Ok(());
    }
    tracing::error!(
        instance_time = %at,
        database_time = %now,
        "an audit year is not begun: the clock of this instance or of the database is wrong"
    );
    Err(TrailError::Clock)
}

/// Whether the database's clock is in `year`, or within a day of it: an instance ahead may be the first to begin it,
/// one behind may still write into the last.
///
/// A year begun too early would never be begun again: the owner's row says that it has a key, and every earlier year
/// without one would be refused for ever.
fn is_due(year: Owner, now: OffsetDateTime) -> bool {
    [now - SLACK, now + SLACK].map(audit_year).contains(&year)
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

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_year_is_begun_within_a_day_of_it_by_the_clock_of_the_database() {
        for (now, due) in [
            (datetime!(2026-12-30 23:00 UTC), vec![2026]),
            (datetime!(2026-12-31 00:01 UTC), vec![2026, 2027]),
            (datetime!(2027-01-01 23:59 UTC), vec![2026, 2027]),
            (datetime!(2027-01-02 00:01 UTC), vec![2027]),
        ] {
            let found: Vec<u16> = (2020..2040)
                .filter(|year| is_due(Owner::AuditYear(*year), now))
                .collect();
            assert_eq!(found, due, "{now}");
        }
    }
}
