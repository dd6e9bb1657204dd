//! Audit years: the key of each is created together with its owner for the first event of the year.

use std::sync::Arc;

use audit::Action;
use audit::Event;
use audit::Outcome;
use audit::PurposeOfUse;
use db::Transaction;
use phi::KeyError;
use phi::OpenError;
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
use super::seal::seal_event_under;
use crate::services::owners::LockedOwner;
use crate::services::owners::missing_owner;
use crate::services::owners::new_owner_row;
use crate::services::written_row::written_row;

/// Maximum difference between the clocks of an instance and of the database when a year is begun.
const MAX_CLOCK_SKEW: Duration = Duration::DAY;

impl AuditTrail {
    /// The scope key of an organization's audit year. It is created for the year's first event.
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
        // One request at a time: each would hold a connection while it waits for the lock of the
        // organization's row.
        let _lock = self.year_lock.lock().await;
        match self.keys.scope(organization, owner).await {
            Err(KeyError::Missing) => self.begin_year(organization, owner, at).await,
            scope => Ok(scope?),
        }
    }

    /// Creates the key and the owner of a year. The owner row of the organization itself has the
    /// latest year with a key, so that a key that was hidden is not replaced.
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
        ensure_year_is_current(&mut transaction, at).await?;
        let locked = LockedOwner::lock(&self.keys, &mut transaction, organization, itself).await;
        let mut locked = locked?.ok_or_else(|| OpenError::from(missing_owner(organization)))?;
        if locked.audit_year() >= Some(year) {
            drop(transaction);
            return self.existing_year_key(organization, owner).await;
        }
        let former_mac = locked.mac();
        locked.set_audit_year(year);
        let own_row = locked.reseal(&authorization)?;
        let year_row = new_owner_row(&authorization, &new.scope, None)?;
        let rows = vec![
            written_row(&own_row),
            written_row(&year_row),
            written_row(&new.row),
        ];
        transaction.update_owner(&own_row, &former_mac).await?;
        transaction
            .insert_owners(std::slice::from_ref(&year_row))
            .await?;
        transaction
            .insert_keys(std::slice::from_ref(&new.row))
            .await?;
        let event = system_event(organization, at, Action::KeyOperation);
        let event = seal_event_under(&new.scope, &event)?.with_rows(rows);
        self.commit_with(transaction, event).await?;
        Ok(new.scope)
    }

    /// The key of a year that has one according to the organization's row: another instance has
    /// created it, or it is hidden.
    async fn existing_year_key(
        &self,
        organization: OrganizationId,
        owner: Owner,
    ) -> Result<Arc<ScopeKey>, TrailError> {
        // Twice: requests that arrive during a load share its failure, and the first call may share
        // a load that began before the other instance committed. The second call begins after that
        // failure.
        for _ in 0..2 {
            match self.keys.scope(organization, owner).await {
                Err(KeyError::Missing) => {}
                scope => return Ok(scope?),
            }
        }
        Err(hidden_key(organization).into())
    }
}

/// Refuses to begin the audit year of `at` unless the database's clock is in that year, or within a
/// day of it.
pub(crate) async fn ensure_year_is_current(
    transaction: &mut Transaction,
    at: OffsetDateTime,
) -> Result<(), TrailError> {
    let now = transaction.now().await?;
    if is_current(audit_year(at), now) {
        return Ok(());
    }
    tracing::error!(
        instance_time = %at,
        database_time = %now,
        "an audit year cannot be begun: the clock of this instance or of the database is wrong"
    );
    Err(TrailError::Clock)
}

/// Whether the database's clock is in `year`, or within a day of it: an instance whose clock is
/// ahead may be the first in a new year, and one whose clock is behind still writes into the former
/// year.
///
/// A year must not be begun too early. The organization's row would have that year as the latest
/// one with a key, and every earlier year without a key would be refused from then on.
fn is_current(year: Owner, now: OffsetDateTime) -> bool {
    [now - MAX_CLOCK_SKEW, now + MAX_CLOCK_SKEW]
        .map(audit_year)
        .contains(&year)
}

fn hidden_key(organization: OrganizationId) -> phi::OpenError {
    let reason = "the key of an audit year is missing";
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
                .filter(|year| is_current(Owner::AuditYear(*year), now))
                .collect();
            assert_eq!(found, due, "{now}");
        }
    }
}
