//! Verification and opening of stored versions, as what was requested.

use access::Record;
use db::CurrentVersion;
use db::ResourceRow;
use db::VersionRow;
use fhir::Reference;
use fhir::Resource;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::parsed_bytes;
use phi::OrganizationId;
use phi::Owner;
use phi::Requested;
use phi::Tampering;
use phi::Verified;
use phi::row_digest;
use uuid::Uuid;

use super::Records;
use super::damage::OpenFailure;
use super::subject;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::document;
use crate::services::error::ServiceError;

/// A version of a resource, verified and opened.
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
}

/// A version that deletes a resource, verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tombstone {
    /// Its version, and the time at which that was stored.
    pub(crate) meta: VersionMeta,
    /// The owner.
    pub(crate) owner: Owner,
}

/// A version of a resource.
#[derive(Debug)]
pub(crate) enum OpenVersion {
    /// The resource.
    Live(StoredResource),
    /// The resource was deleted.
    Deleted(Tombstone),
}

impl StoredResource {
    /// The resource as a disclosure's event names it.
    pub(crate) fn record(&self, organization: OrganizationId, id: Uuid) -> Record {
        let resource_type = self.resource.resource_type();
        version_record(organization, resource_type, id, self.owner, self.meta)
    }
}

impl OpenVersion {
    /// The owner.
    pub(super) const fn owner(&self) -> Owner {
        match self {
            Self::Live(stored) => stored.owner,
            Self::Deleted(tombstone) => tombstone.owner,
        }
    }

    /// The version.
    pub(crate) const fn meta(&self) -> VersionMeta {
        match self {
            Self::Live(stored) => stored.meta,
            Self::Deleted(tombstone) => tombstone.meta,
        }
    }
}

/// A version of a resource as an event names it.
pub(super) fn version_record(
    organization: OrganizationId,
    resource_type: ResourceType,
    id: Uuid,
    owner: Owner,
    meta: VersionMeta,
) -> Record {
    let reference = Reference { resource_type, id };
    Record {
        version: u32::try_from(meta.version).ok(),
        ..resource_record(organization, reference, owner)
    }
}

/// A resource as an event names it without a version: one that was compared, or could not be opened.
pub(super) fn resource_record(
    organization: OrganizationId,
    Reference { resource_type, id }: Reference,
    owner: Owner,
) -> Record {
    let subject = subject(organization, resource_type).id(id);
    match owner {
        Owner::Patient(patient) => subject.patient(patient).into(),
        Owner::Organization | Owner::AuditYear(_) | Owner::System => subject.into(),
    }
}

impl Records {
    /// Verifies and opens the current version of a resource that was requested of `organization`,
    /// within a caller's memory budget.
    pub(super) async fn open_current(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        current: CurrentVersion,
    ) -> Result<OpenVersion, OpenFailure> {
        let CurrentVersion {
            head,
            version,
            newest,
        } = current;
        // Reserved first, before anything is awaited.
        let reserved = self.reserve_body(caller, &version)?;
        let head = self.verify_head(organization, head, newest).await?;
        let version = self.keys.verify(organization, version).await?;
        if head.version_digest != row_digest(&*version) || head.deleted != version.deleted {
            let reason = "the version is not the one that its head names";
            let row = Some(version.row_id.uuid());
            let table = "resource_versions";
            return Err(Tampering::report(table, reason, organization, row).into());
        }
        self.open_version(organization, head.owner()?, version, reserved)
            .await
    }

    /// Reserves the memory of a version's body, which is as long in the clear as the sealed one.
    pub(super) fn reserve_body(
        &self,
        caller: CallerId,
        version: &VersionRow,
    ) -> Result<Reservation, ServiceError> {
        self.memory.reserve(caller, version.body.as_bytes().len())
    }

    /// Verifies the head of a resource, of which `newest` is the newest stored version.
    pub(super) async fn verify_head(
        &self,
        organization: OrganizationId,
        head: ResourceRow,
        newest: u32,
    ) -> Result<Verified<ResourceRow>, OpenFailure> {
        let head = self.keys.verify(organization, head).await?;
        if head.version == newest {
            return Ok(head);
        }
        let reason = "the head is below the newest version: an older one was put back";
        let row = Some(head.row_id.uuid());
        Err(Tampering::report("resources", reason, organization, row).into())
    }

    /// Opens a verified version of a resource, whose owner a verified head names.
    pub(super) async fn open_version(
        &self,
        organization: OrganizationId,
        owner: Owner,
        version: Verified<VersionRow>,
        mut reserved: Reservation,
    ) -> Result<OpenVersion, OpenFailure> {
        let meta = VersionMeta {
            version: u64::from(version.version),
            last_updated: version.at,
        };
        if version.deleted.is_some() {
            return Ok(OpenVersion::Deleted(Tombstone { meta, owner }));
        }
        let requested = Requested {
            organization,
            owner,
            row: version.row_id,
        };
        let body = self.keys.open(requested, &version.body).await?;
        let bytes = body.expose().len();
        // The part that is reserved for the body serves the response later, which is about as long.
        self.grow(&mut reserved, parsed_bytes(body.expose()))?;
        let resource = parse_stored(body.expose()).map_err(|_logged| {
            let reason = "a stored body is not a resource";
            let row = Some(version.row_id.uuid());
            Tampering::report("resource_versions", reason, organization, row)
        })?;
        Ok(OpenVersion::Live(StoredResource {
            resource,
            meta,
            owner,
            bytes,
            reserved,
        }))
    }
}

/// Parses a stored resource.
fn parse_stored(bytes: &[u8]) -> Result<Resource, ServiceError> {
    document::process(bytes.len(), || {
        Resource::from_stored_bytes(bytes).map_err(ServiceError::internal)
    })
}
