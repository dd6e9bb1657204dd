//! Changes that depend on the stored resource: patches, and deletions, whose owner is the stored one's.

use std::sync::Arc;

use access::Permitted;
use access::Write;
use access::ensure_reached;
use access::record_refused_write;
use db::ResourceRow;
use fhir::JsonPatch;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::Resource;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::bundle::ResourceWrite;
use fhir::bundle::WriteContent;
use fhir::bundle::WriteMode;
use fhir::bundle::WritePrecondition;
use fhir::bundle::single;
use uuid::Uuid;

use super::Change;
use super::Content;
use super::Evidence;
use super::Records;
use super::RefusalReason;
use super::open::OpenVersion;
use super::open::version_record;
use super::refused_contained;
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
    /// The resource contains, at this index, one that the policy does not permit in it.
    Contained(usize),
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
    /// deletion gets the stored resource's owner. Neither discloses the resource. `condition` is the evidence of the condition on
    /// which the write depends; `server` is the server's own base.
    ///
    /// # Errors
    ///
    /// See [`BasisError`]. A refused patch is recorded, because the refusal may disclose stored data.
    pub(crate) async fn change<'caller>(
        &self,
        permitted: Permitted<'caller, Write>,
        write: ResourceWrite,
        condition: Option<Arc<Evidence>>,
        server: &str,
    ) -> Result<Change<'caller>, BasisError> {
        let mut change = self.unconditional(permitted, write, server).await?;
        change.condition = condition;
        Ok(change)
    }

    async fn unconditional<'caller>(
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
                mode,
            } => {
                if let Some(index) = refused_contained(&resource) {
                    return Err(BasisError::Contained(index));
                }
                let content = Content::Whole { resource, mode };
                Ok(Change::new(permitted, target, owner, content, precondition))
            }
            WriteContent::Delete => {
                let basis = self.basis(&permitted, target).await?;
                let (head, stored) = basis.unzip();
                let owner = stored.and_then(|stored: OpenVersion| stored.owner().patient());
                let content = Content::Deleted;
                let change = Change::new(permitted, target, owner, content, precondition);
                Ok(change.based_on(head))
            }
            WriteContent::Patch(patch) => {
                let basis = self.basis(&permitted, target).await?;
                let basis = basis.map(|(_, open)| open);
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
            Some((_, OpenVersion::Live(stored))) => Some(stored.meta),
            Some((_, OpenVersion::Deleted(_))) | None => None,
        })
    }

    /// The stored resource on which a permitted write depends, with its head.
    async fn basis(
        &self,
        permitted: &Permitted<'_, Write>,
        target: Reference,
    ) -> Result<Option<(ResourceRow, OpenVersion)>, ServiceError> {
        let organization = permitted.caller().organization();
        let key = resource_key(target.resource_type, target.id);
        let current = self.database.current_version(organization, &key).await?;
        let Some(current) = current else {
            return Ok(None);
        };
        let caller = CallerId::of(permitted.caller());
        let head = current.head.clone();
        let open = self.open_current(organization, caller, current).await?;
        // The response to a refused write reveals whether the resource exists, so access to its chart is decided first.
        let record = version_record(
            organization,
            target.resource_type,
            target.id,
            open.owner(),
            open.meta(),
        );
        ensure_reached(&self.trail, permitted, &record).await?;
        Ok(Some((head, open)))
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
            mode: WriteMode::Update,
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
    if let Some(index) = refused_contained(&resource) {
        return Err(BasisError::Contained(index));
    }
    Ok(Patched {
        resource,
        owner,
        version,
        reserved: stored.reserved,
    })
}
