//! Patients and their charts: read, written and found, always within one organization, always on
//! record.
//!
//! Every function takes the [`Permitted`](crate::services::access::Permitted) that its caller was given, and
//! what it discloses comes back as [`Disclosed`](crate::services::ledger::Disclosed): opened only for the
//! caller's organization, checked against the row's MAC, and told to the audit trail first.

mod apply;
mod chart;
mod patients;
mod plan;
mod read;
mod rows;

use audit::RecordReference;
use db::{Database, ResourceKey, ResourceRow, VersionRow};
use phi::{AuthorizationKey, OrganizationId, Owner, PatientId, Scope, columns};
use uuid::Uuid;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;
use crate::services::ledger::Ledger;
use crate::services::roster::Rosters;
use fhir::{Compartment, Resource, ResourceType, VersionMeta};

pub(crate) use apply::{Applied, ApplyError, Change, Effect};
pub(crate) use patients::{PatientPage, PatientSummary};

/// The record service.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    database: Database,
    keys: Keys,
    ledger: Ledger,
    clock: Clock,
    rosters: Rosters,
}

/// A resource as it is stored now, opened.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The resource.
    pub(crate) resource: Resource,
    /// Its version, and since when.
    pub(crate) stamp: VersionMeta,
}

impl Records {
    /// Records over these services.
    pub(crate) fn new(database: Database, keys: Keys, ledger: Ledger, clock: Clock) -> Self {
        let rosters = Rosters::new(database.clone(), keys.clone());
        Self {
            database,
            keys,
            ledger,
            clock,
            rosters,
        }
    }

    /// Checks and opens a stored version.
    fn open(
        key: &AuthorizationKey,
        scope: &Scope,
        head: ResourceRow,
        version: VersionRow,
    ) -> Result<Stored, ServiceError> {
        let head = key.verify(head)?;
        let version = key.verify(version)?;
        let body = scope.open(
            &columns::RESOURCE_VERSIONS_BODY,
            version.row_id,
            &version.body,
        )?;
        let resource =
            Resource::from_stored_bytes(body.expose()).map_err(ServiceError::internal)?;
        let stamp = VersionMeta {
            version: u64::from(head.version),
            last_updated: head.updated_at,
        };
        Ok(Stored { resource, stamp })
    }
}

/// Whose keys seal a resource of this kind.
fn owner_of(kind: ResourceType, owner: Uuid) -> Owner {
    match kind.compartment() {
        Compartment::Patient => Owner::Patient(PatientId::from_uuid(owner)),
        Compartment::Directory => Owner::Organization,
    }
}

/// The `owner` column of a resource: its patient, or the organization.
fn owner_column(organization: OrganizationId, owner: Option<Uuid>) -> Uuid {
    owner.unwrap_or_else(|| organization.uuid())
}

fn key_of(kind: ResourceType, id: Uuid) -> ResourceKey {
    ResourceKey {
        kind: kind.name(),
        id,
    }
}

/// A resource as the audit trail names it.
fn reference(
    kind: ResourceType,
    id: Uuid,
    version: Option<u32>,
    owner: Option<Uuid>,
) -> RecordReference {
    RecordReference {
        kind: kind.name().to_owned(),
        id: Some(id),
        version,
        patient: owner,
    }
}
