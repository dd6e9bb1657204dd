//! The record service: reads, writes and searches of patients and their charts, each within one
//! organization.
//!
//! Every public function takes the [`Permitted`](access::Permitted) of its caller. What it
//! discloses is returned as [`Disclosed`](access::Disclosed): verified and opened as what was
//! requested, and recorded in the audit trail first.

mod apply;
mod batch_read;
mod chart;
mod matching;
mod medical_record_numbers;
mod owners;
mod patient_rows;
mod patients;
mod plan;
mod read;
mod refusals;
mod sealed_rows;
mod search_resources;
mod write_error;

use access::DataClass;
use access::Fields;
use access::Permitted;
use access::Record;
use access::Subject;
use db::CurrentVersion;
use db::Database;
use db::ResourceKey;
use phi::Head;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::Requested;
use phi::Tampering;
use phi::row_digest;
use uuid::Uuid;

use crate::services::blind_indexes::BlindIndexes;
use crate::services::budget::Budget;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::clock::Clock;
use crate::services::document;
use crate::services::error::ServiceError;
use crate::services::feed::ChangeFeed;
use crate::services::keys::Keys;
use crate::services::roster::Rosters;
use crate::services::trail::AuditTrail;
use fhir::Resource;
use fhir::ResourceClass;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::parsed_bytes;

pub(crate) use apply::Applied;
pub(crate) use apply::Change;
pub(crate) use apply::Effect;
pub(crate) use patients::PatientPage;
pub(crate) use patients::PatientSummary;
pub(crate) use refusals::Refusal;
pub(crate) use refusals::RefusalReason;
pub(crate) use write_error::ApplyError;

/// The record service.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    database: Database,
    keys: Keys,
    trail: AuditTrail,
    indexes: BlindIndexes,
    clock: Clock,
    rosters: Rosters,
    memory: Budget,
}

/// The current version of a resource, verified and opened.
#[derive(Debug)]
pub(crate) struct StoredResource {
    /// The resource.
    pub(crate) resource: Resource,
    /// Its version, and the time at which that was stored.
    pub(crate) meta: VersionMeta,
    /// The owner.
    pub(crate) owner: Owner,
    /// Its length in its stored form, in bytes.
    pub(crate) bytes: usize,
    /// The memory of the resource, and of the response with it.
    pub(crate) reserved: Reservation,
    /// The digest of the row that holds it.
    digest: [u8; 32],
}

impl StoredResource {
    /// The resource as a disclosure's event names it.
    pub(crate) fn record(&self, organization: OrganizationId, id: Uuid) -> Record {
        let resource_type = self.resource.resource_type();
        let subject = subject(organization, resource_type).id(id);
        Record {
            subject: match self.owner {
                Owner::Patient(patient) => subject.patient(patient),
                Owner::Organization | Owner::AuditYear(_) | Owner::System => subject,
            },
            version: u32::try_from(self.meta.version).ok(),
        }
    }
}

/// The head of a stored version, as an element of its owner's [`HeadSet`](phi::HeadSet).
fn head_of(kind: &'static str, id: Uuid, stored: &StoredResource) -> Head<'static> {
    Head {
        kind,
        id,
        version: u32::try_from(stored.meta.version).unwrap_or(u32::MAX),
        digest: stored.digest,
    }
}

impl Records {
    /// Records over these services.
    pub(crate) fn new(
        database: Database,
        keys: Keys,
        trail: AuditTrail,
        indexes: BlindIndexes,
        feed: ChangeFeed,
        clock: Clock,
        memory: Budget,
    ) -> Self {
        let rosters = Rosters::new(database.clone(), keys.clone(), feed);
        Self {
            database,
            keys,
            trail,
            indexes,
            clock,
            rosters,
            memory,
        }
    }

    /// Verifies and opens the current version of a resource that was requested of `organization`,
    /// within a caller's memory budget.
    async fn open(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        current: CurrentVersion,
    ) -> Result<StoredResource, ServiceError> {
        // The body in the clear is as long as the sealed one. It is reserved first, before anything
        // is awaited.
        let mut reserved = self
            .memory
            .reserve(caller, current.version.body.as_bytes().len())?;
        let head = self.keys.verify(organization, current.head).await?;
        let version = self.keys.verify(organization, current.version).await?;
        if head.version != current.newest {
            let reason = "the head is below the newest version: an older one was put back";
            let row = Some(head.row_id.uuid());
            return Err(Tampering::report("resources", reason, organization, row).into());
        }
        if head.version_digest != row_digest(&*version) {
            let reason = "the version is not the one that its head names";
            let row = Some(version.row_id.uuid());
            let table = "resource_versions";
            return Err(Tampering::report(table, reason, organization, row).into());
        }
        let owner = head.owner()?;
        let requested = Requested {
            organization,
            owner,
            row: version.row_id,
        };
        let body = self.keys.open(requested, &version.body).await?;
        let bytes = body.expose().len();
        // The part that is reserved for the body serves the response later, which is about as long.
        self.grow(&mut reserved, parsed_bytes(body.expose()))?;
        Ok(StoredResource {
            resource: parse_stored(body.expose())?,
            bytes,
            reserved,
            meta: VersionMeta {
                version: u64::from(head.version),
                last_updated: head.updated_at,
            },
            owner,
            digest: head.version_digest,
        })
    }
}

/// Parses a stored resource.
fn parse_stored(bytes: &[u8]) -> Result<Resource, ServiceError> {
    document::process(bytes.len(), || {
        Resource::from_stored_bytes(bytes).map_err(ServiceError::internal)
    })
}

/// Refuses a permission that is limited to some fields: resources are disclosed whole.
fn ensure_all_fields<A: access::Action>(permitted: &Permitted<'_, A>) -> Result<(), ServiceError> {
    if permitted.fields() == Fields::All {
        Ok(())
    } else {
        Err(ServiceError::Forbidden)
    }
}

/// The data class of a resource type, by which the policy decides.
pub(crate) fn class_of(resource_type: ResourceType) -> DataClass {
    match resource_type.class() {
        ResourceClass::Demographics => DataClass::Demographics,
        ResourceClass::Clinical => DataClass::Clinical,
        ResourceClass::Billing => DataClass::Billing,
        ResourceClass::Directory => DataClass::Directory,
    }
}

/// Resources of a type, as a subject of the policy.
pub(crate) fn subject(organization: OrganizationId, resource_type: ResourceType) -> Subject {
    Subject::of(resource_type.name(), class_of(resource_type), organization)
}

/// Resources of every type, each as a subject of the policy: the possible contents of a Bundle.
pub(crate) fn resource_subjects(organization: OrganizationId) -> impl Iterator<Item = Subject> {
    let types = ResourceType::ALL.into_iter();
    types.map(move |resource_type| subject(organization, resource_type))
}

/// A Bundle whose content is not known yet, as a subject of the policy.
pub(crate) fn bundle_subject(organization: OrganizationId) -> Subject {
    Subject::of("Bundle", DataClass::Clinical, organization)
}

/// A patient's chart, as a subject of the policy.
pub(crate) fn chart_subject(organization: OrganizationId) -> Subject {
    Subject::of("chart", DataClass::Clinical, organization)
}

/// The owner of a resource: a patient, or the organization.
fn owner_of(organization: OrganizationId, patient: Option<Uuid>) -> Owner {
    match patient {
        Some(patient) => Owner::Patient(PatientId::from_uuid(patient)),
        None => Owner::of_organization(organization),
    }
}

fn resource_key(resource_type: ResourceType, id: Uuid) -> ResourceKey {
    ResourceKey {
        kind: resource_type.name(),
        id,
    }
}
