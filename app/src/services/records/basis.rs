//! Changes that depend on the stored resource: patches, and deletions, whose owner is the stored one's.

use access::Permitted;
use access::Write;
use access::record_refused_write;
use fhir::JsonPatch;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::Resource;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::bundle::ResourceWrite;
use fhir::bundle::WriteContent;
use fhir::bundle::WritePrecondition;
use fhir::bundle::single;
use uuid::Uuid;

use super::Change;
use super::Content;
use super::Records;
use super::RefusalReason;
use super::open::OpenVersion;
use super::resource_key;
use super::subject;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::document;
use crate::services::error::ServiceError;

/// A write that cannot be converted to a change.
#[derive(Debug)]
pub(crate) enum BasisError {
    /// The stored resource does not permit it.
    Refused(RefusalReason),
    /// The patch cannot be applied to the stored resource, or its result is invalid.
    Patch(OperationOutcome),
    /// Another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for BasisError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

impl Records {
    /// The change of a permitted write. A patch is applied to the current version, on which the change then depends; a
    /// deletion gets the stored resource's owner. Neither discloses the resource. `server` is the server's own base.
    ///
    /// # Errors
    ///
    /// See [`BasisError`]. A refused patch is recorded, because the refusal may disclose stored data.
    pub(crate) async fn change<'caller>(
        &self,
        permitted: Permitted<'caller, Write>,
        write: ResourceWrite,
        server: &str,
    ) -> Result<Change<'caller>, BasisError> {
        let (target, precondition) = (write.target(), write.precondition);
        match write.content {
            WriteContent::Whole {
                resource,
                owner,
                create,
            } => {
                let content = Content::Whole { resource, create };
                Ok(Change::new(permitted, target, owner, content, precondition))
            }
            WriteContent::Delete => {
                let stored = self.basis(&permitted, target).await?;
                let owner = stored.and_then(|stored| stored.owner().patient());
                let content = Content::Deleted;
                Ok(Change::new(permitted, target, owner, content, precondition))
            }
            WriteContent::Patch(patch) => {
                let basis = self.basis(&permitted, target).await?;
                let organization = permitted.caller().organization();
                let subject = subject(organization, target.resource_type).id(target.id);
                let patient = basis.as_ref().and_then(|basis| basis.owner().patient());
                let subject = patient.map_or(subject, |patient| subject.patient(patient.into()));
                match patched(basis, &patch, target, precondition, server) {
                    Ok(patched) => Ok(patched.into_change(permitted, target, precondition)),
                    Err(error) => {
                        record_refused_write(&self.trail, &permitted, &[subject.into()]).await?;
                        Err(error)
                    }
                }
            }
        }
    }

    /// The current version of a resource that a caller may write; none if it does not exist or is deleted.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub(crate) async fn written_meta(
        &self,
        permitted: &Permitted<'_, Write>,
        resource_type: ResourceType,
        id: Uuid,
    ) -> Result<Option<VersionMeta>, ServiceError> {
        let target = Reference { resource_type, id };
        Ok(match self.basis(permitted, target).await? {
            Some(OpenVersion::Live(stored)) => Some(stored.meta),
            Some(OpenVersion::Deleted(_)) | None => None,
        })
    }

    /// The stored resource on which a permitted write depends.
    async fn basis(
        &self,
        permitted: &Permitted<'_, Write>,
        target: Reference,
    ) -> Result<Option<OpenVersion>, ServiceError> {
        let organization = permitted.caller().organization();
        let key = resource_key(target.resource_type, target.id);
        let current = self.database.current_version(organization, &key).await?;
        let Some(current) = current else {
            return Ok(None);
        };
        let caller = CallerId::of(permitted.caller());
        let open = self.open_current(organization, caller, current).await?;
        Ok(Some(open))
    }
}

/// The result of a patch.
struct Patched {
    resource: Resource,
    owner: Option<Uuid>,
    /// The version to which the patch was applied.
    version: u64,
    /// The memory of the stored resource, which serves the patched one.
    reserved: Reservation,
}

impl Patched {
    fn into_change(
        self,
        permitted: Permitted<'_, Write>,
        target: Reference,
        precondition: WritePrecondition,
    ) -> Change<'_> {
        let content = Content::Whole {
            resource: self.resource,
            create: false,
        };
        let basis = WritePrecondition::Version(self.version);
        let change = Change::new(permitted, target, self.owner, content, basis);
        change.of_patch(precondition, self.reserved)
    }
}

/// Applies a patch to the stored resource. The result is checked as if it had been sent whole.
fn patched(
    basis: Option<OpenVersion>,
    patch: &JsonPatch,
    target: Reference,
    precondition: WritePrecondition,
    server: &str,
) -> Result<Patched, BasisError> {
    let stored = match basis {
        Some(OpenVersion::Live(stored)) => stored,
        Some(OpenVersion::Deleted(_)) => return Err(BasisError::Refused(RefusalReason::Deleted)),
        None => return Err(BasisError::Refused(RefusalReason::NotFound)),
    };
    let version = stored.meta.version;
    if !precondition.holds(Some(version)) {
        return Err(BasisError::Refused(RefusalReason::PreconditionFailed));
    }
    let applied = || {
        let resource = patch.apply(&stored.resource)?;
        single::patched(resource, target, server)
    };
    let write = document::process(stored.bytes, applied).map_err(BasisError::Patch)?;
    let WriteContent::Whole {
        resource, owner, ..
    } = write.content
    else {
        return Err(ServiceError::Internal.into());
    };
    Ok(Patched {
        resource,
        owner,
        version,
        reserved: stored.reserved,
    })
}
