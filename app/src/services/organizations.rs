//! Organizations: created with their keys, owner, index and first audit year in one transaction.

use access::CallerEvent;
use access::Disclosed;
use access::Permitted;
use access::Write;
use access::record_write;
use audit::Action;
use db::Database;
use db::IndexVersionRow;
use db::OrganizationRow;
use phi::AuthorizationKey;
use phi::IndexState;
use phi::KeyError;
use phi::Normalizer;
use phi::OrganizationId;
use phi::RowId;
use phi::RowMac;
use phi::Tampering;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::feed::Change;
use crate::services::feed::first_counter;
use crate::services::keys::Keys;
use crate::services::owners::new_owner_row;
use crate::services::release::first_floor;
use crate::services::trail::AuditTrail;
use crate::services::trail::TrailError;
use crate::services::trail::audit_year;
use crate::services::trail::ensure_newest;
use crate::services::trail::ensure_year_is_current;
use crate::services::trail::retry_conflicts;
use crate::services::trail::seal_event_under;
use crate::services::trail::system_event;
use crate::services::written_row::written_row;

/// The name of the reserved organization of the system itself.
const SYSTEM_NAME: &str = "(system)";
/// The first version of an organization's index.
const FIRST_INDEX_VERSION: u16 = 1;

/// The charts that clinicians of an organization reach.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChartPolicy {
    /// All charts of the organization, on record.
    Organization,
    /// Those of patients whose care team includes them; others by emergency access.
    CareTeam,
}

impl ChartPolicy {
    /// The permanent name in rows; none for all charts, the policy of organizations from before there was a choice.
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Organization => None,
            Self::CareTeam => Some("care-team"),
        }
    }

    fn of(row: &OrganizationRow) -> Self {
        if row.opens_all_charts() {
            Self::Organization
        } else {
            Self::CareTeam
        }
    }
}

/// The organization service.
#[derive(Clone, Debug)]
pub(crate) struct Organizations {
    database: Database,
    keys: Keys,
    trail: AuditTrail,
    clock: Clock,
}

impl Organizations {
    /// The service over these services.
    pub(crate) fn new(database: Database, keys: Keys, trail: AuditTrail, clock: Clock) -> Self {
        Self {
            database,
            keys,
            trail,
            clock,
        }
    }

    /// The name of an organization, which is no PHI.
    pub(crate) async fn name(&self, organization: OrganizationId) -> Result<String, ServiceError> {
        Ok(self.row(organization).await?.name)
    }

    /// The charts that the organization's clinicians reach.
    pub(crate) async fn chart_policy(
        &self,
        organization: OrganizationId,
    ) -> Result<ChartPolicy, ServiceError> {
        Ok(ChartPolicy::of(&self.row(organization).await?))
    }

    /// Sets the charts that the organization's clinicians reach, for all instances within a second.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] if the organization was changed at the same time.
    pub(crate) async fn set_chart_policy(
        &self,
        permitted: &Permitted<'_, Write>,
        policy: ChartPolicy,
    ) -> Result<Disclosed<ChartPolicy>, ServiceError> {
        let organization = permitted.caller().organization();
        let former = self.row(organization).await?;
        let former_mac = *former.mac.as_bytes();
        let key = self.keys.authorization(organization).await?;
        let row = key.authenticate(OrganizationRow {
            chart_access: policy.name().map(str::to_owned),
            ..former
        });
        let record = permitted.subject().id(organization.uuid());
        let write = record_write(&self.trail, &[(permitted, record.into())]).await?;
        let (row, former_mac) = (&row, &former_mac);
        let committed = write.commit(|event| {
            retry_conflicts(move || self.store_policy(row, former_mac, event.clone()))
        });
        match committed.await {
            Ok((receipt, ())) => Ok(receipt.disclose(policy)),
            Err(TrailError::Database(db::Error::Conflict)) => Err(ServiceError::unavailable(
                "the organization was changed at the same time",
            )),
            Err(error) => Err(error.into()),
        }
    }

    async fn store_policy(
        &self,
        row: &OrganizationRow,
        former_mac: &[u8; 32],
        event: CallerEvent,
    ) -> Result<(), TrailError> {
        let organization = row.organization;
        let event = self.trail.seal_event(event).await?;
        let event = event
            .with_rows(vec![written_row(row)])
            .with_changes(vec![Change::grant(organization.uuid())]);
        let mut transaction = self.database.begin().await?;
        let locked = transaction.lock_organization(organization).await?;
        ensure_newest(&mut transaction, locked.as_ref()).await?;
        transaction.update_organization(row, former_mac).await?;
        self.trail.commit_with(transaction, event).await
    }

    /// The verified row of an organization.
    async fn row(&self, organization: OrganizationId) -> Result<OrganizationRow, ServiceError> {
        let row = self.database.organization(organization).await?;
        let row = row.ok_or_else(|| {
            let reason = "the organization's row is missing";
            Tampering::report("organizations", reason, organization, None)
        })?;
        Ok(self.keys.verify(organization, row).await?.into_inner())
    }

    /// Creates the system's reserved organization, unless it exists.
    pub(crate) async fn ensure_system(&self) -> Result<(), ServiceError> {
        match self.keys.authorization(OrganizationId::SYSTEM).await {
            Err(KeyError::Missing) => self.create(OrganizationId::SYSTEM, SYSTEM_NAME).await,
            found => Ok(found.map(drop)?),
        }
    }

    /// The organization of this name; it is created unless it exists.
    pub(crate) async fn ensure(&self, name: &str) -> Result<OrganizationId, ServiceError> {
        if let Some(row) = self.database.organization_named(name).await? {
            let organization = row.organization;
            self.keys.verify(organization, row).await?;
            return Ok(organization);
        }
        let organization = OrganizationId::random();
        self.create(organization, name).await?;
        Ok(organization)
    }

    async fn create(&self, organization: OrganizationId, name: &str) -> Result<(), ServiceError> {
        let now = self.clock.now();
        let new = self.keys.new_organization(organization, now).await?;
        let key = &new.authorization;
        let year = new.new_scope(audit_year(now), now)?;
        let row = key.authenticate(OrganizationRow {
            organization,
            name: name.to_owned(),
            created_at: now,
            chart_access: None,
            mac: RowMac::UNSET,
        });
        let year_number = u16::try_from(now.year()).unwrap_or_default();
        let owners = [
            new_owner_row(key, &new.scope, Some(year_number))?,
            new_owner_row(key, &year.scope, None)?,
        ];
        let index = first_index(key, organization, new.index);
        let mut keys = new.rows.clone();
        keys.push(year.row.clone());
        let feed = first_counter(key, organization);
        let mut rows = vec![written_row(&row), written_row(&index), written_row(&feed)];
        rows.extend(owners.iter().map(written_row));
        rows.extend(keys.iter().map(written_row));

        let mut transaction = if organization == OrganizationId::SYSTEM {
            let floor = first_floor(key, now);
            rows.push(written_row(&floor));
            self.database.begin_with_first_floor(&floor).await?
        } else {
            self.database.begin().await?
        };
        ensure_year_is_current(&mut transaction, now).await?;
        transaction.insert_organization(&row).await?;
        transaction.insert_keys(&keys).await?;
        transaction.insert_owners(&owners).await?;
        transaction.insert_index_version(&index).await?;
        transaction.insert_change_counter(&feed).await?;
        let event = system_event(organization, now, Action::Provision);
        let event = seal_event_under(&year.scope, &event)?.with_rows(rows);
        if organization == OrganizationId::SYSTEM {
            // This transaction stores the very key that authenticates its event, so it cannot be
            // read from the database.
            self.trail.commit_with_key(key, transaction, event).await?;
        } else {
            self.trail.commit_with(transaction, event).await?;
        }
        Ok(())
    }
}

fn first_index(
    key: &AuthorizationKey,
    organization: OrganizationId,
    index_key: phi::KeyId,
) -> IndexVersionRow {
    key.authenticate(IndexVersionRow {
        organization,
        version: FIRST_INDEX_VERSION,
        row_id: RowId::random(),
        index_key,
        normalizer: Normalizer::V1.code(),
        state: IndexState::Live,
        mac: RowMac::UNSET,
    })
}
