//! Changes that depend on the stored resource: patches, and deletions, whose owner is the stored one's.

use access::Permitted;
use access::Write;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::bundle::ResourceWrite;
use fhir::bundle::WriteContent;
use fhir::bundle::WritePrecondition;
use uuid::Uuid;

use super::Change;
use super::Content;
use super::Records;
use super::RefusalReason;
use super::open::OpenVersion;
use super::resource_key;
use crate::services::budget::CallerId;
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
    /// deletion gets the stored resource's owner. Neither discloses the resource.
    ///
    /// # Errors
    ///
    /// See [`BasisError`].
    pub(crate) async fn change<'caller>(
        &self,
        permitted: Permitted<'caller, Write>,
        write: ResourceWrite,
    ) -> Result<Change<'caller>, BasisError> {
        let (target, precondition) = (write.target(), write.precondition);
        let is_patched = matches!(write.content, WriteContent::Patch(_))
            && precondition == WritePrecondition::None;
        let (owner, content, precondition) = match write.content {
            WriteContent::Whole {
                resource,
                owner,
                create,
            } => (owner, Content::Whole { resource, create }, precondition),
            WriteContent::Delete => {
                let stored = self.basis(&permitted, target).await?;
                let owner = stored.and_then(|stored| stored.owner().patient());
                (owner, Content::Deleted, precondition)
            }
            WriteContent::Patch(patch) => {
                let stored = match self.basis(&permitted, target).await? {
                    Some(OpenVersion::Live(stored)) => stored,
                    Some(OpenVersion::Deleted(_)) => {
                        return Err(BasisError::Refused(RefusalReason::Deleted));
                    }
                    None => return Err(BasisError::Refused(RefusalReason::NotFound)),
                };
                let version = stored.meta.version;
                if !precondition.holds(Some(version)) {
                    return Err(BasisError::Refused(RefusalReason::PreconditionFailed));
                }
                let resource = patch.apply(&stored.resource).map_err(BasisError::Patch)?;
                let owner = resource.owner(target.resource_type.name());
                let owner = owner.map_err(|issue| {
                    BasisError::Patch(OperationOutcome::new(
                        fhir::Status::UnprocessableEntity,
                        issue,
                    ))
                })?;
                let content = Content::Whole {
                    resource,
                    create: false,
                };
                (owner, content, WritePrecondition::Version(version))
            }
        };
        let mut change = Change::new(permitted, target, owner, content, precondition);
        change.is_patched = is_patched;
        Ok(change)
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
