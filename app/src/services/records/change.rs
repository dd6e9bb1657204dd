//! The changes that a request makes.

use std::sync::Arc;

use access::Permitted;
use access::Record;
use access::Write;
use db::PatientToken;
use db::ResourceRow;
use fhir::Reference;
use fhir::Resource;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::bundle::WriteMode;
use fhir::bundle::WritePrecondition;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::Evidence;
use super::RefusalReason;
use super::subject;
use crate::services::budget::Reservation;

/// A permitted write of one resource.
#[derive(Debug)]
pub(crate) struct Change<'caller> {
    /// The permit.
    pub(crate) permitted: Permitted<'caller, Write>,
    /// The resource type.
    pub(crate) resource_type: ResourceType,
    /// The resource's id.
    pub(crate) id: Uuid,
    /// The patient that owns the resource; none for a resource of the organization.
    pub(crate) owner: Option<Uuid>,
    /// The content.
    pub(crate) content: Content,
    /// The state of the stored resource without which the change is refused.
    pub(crate) precondition: WritePrecondition,
    /// The verified head of the resource to be deleted, as it was read to find the owner; none if it was not read.
    pub(super) basis: Option<ResourceRow>,
    /// The condition on which the change depends.
    pub(crate) condition: Option<Arc<Evidence>>,
    /// Whether the precondition is the version that a patch was applied to, and not the caller's.
    is_patched: bool,
    /// Whether the resource is the result of a patch, whose other parts the caller did not send.
    is_of_patch: bool,
    /// The memory of a patched resource; that of others belongs to the request's document.
    _reserved: Option<Reservation>,
    /// The blind index tokens of a patient, once they were computed.
    pub(super) tokens: OnceCell<Vec<PatientToken>>,
    /// Those of the tokens that no other patient may have.
    pub(super) unique_tokens: OnceCell<Vec<PatientToken>>,
}

/// The content of a change.
#[derive(Debug)]
pub(crate) enum Content {
    /// The whole resource.
    Whole {
        /// The validated resource.
        resource: Resource,
        /// The origin of the id, and the state of the stored resource that the change requires.
        mode: WriteMode,
    },
    /// None: the resource is deleted.
    Deleted,
}

impl<'caller> Change<'caller> {
    /// The change of a permitted write.
    pub(super) fn new(
        permitted: Permitted<'caller, Write>,
        target: Reference,
        owner: Option<Uuid>,
        content: Content,
        precondition: WritePrecondition,
    ) -> Self {
        Self {
            permitted,
            resource_type: target.resource_type,
            id: target.id,
            owner,
            content,
            precondition,
            basis: None,
            condition: None,
            is_patched: false,
            is_of_patch: false,
            _reserved: None,
            tokens: OnceCell::new(),
            unique_tokens: OnceCell::new(),
        }
    }

    /// The change of a patch with this precondition of the caller, and the memory of the patched resource.
    pub(super) fn of_patch(self, precondition: WritePrecondition, reserved: Reservation) -> Self {
        Self {
            is_patched: precondition == WritePrecondition::None,
            is_of_patch: true,
            _reserved: Some(reserved),
            ..self
        }
    }

    /// The same change, with the head that was read for it.
    pub(super) fn based_on(self, basis: Option<ResourceRow>) -> Self {
        Self { basis, ..self }
    }

    /// The resource to be stored; none for a deletion.
    pub(crate) const fn resource(&self) -> Option<&Resource> {
        match &self.content {
            Content::Whole { resource, .. } => Some(resource),
            Content::Deleted => None,
        }
    }

    /// The resource as the caller sent it, for a response; none for a deletion and for a patch, the rest of which would be
    /// disclosed.
    pub(crate) fn into_sent_resource(self) -> Option<Resource> {
        match self.content {
            Content::Whole { resource, .. } if !self.is_of_patch => Some(resource),
            Content::Whole { .. } | Content::Deleted => None,
        }
    }

    /// The reason for a refusal by the precondition.
    pub(super) const fn precondition_refusal(&self) -> RefusalReason {
        if self.is_patched {
            RefusalReason::ChangedMeanwhile
        } else {
            RefusalReason::PreconditionFailed
        }
    }

    /// Whether the server assigned the id at random for a new resource, so that nothing is stored under it.
    pub(super) const fn has_new_id(&self) -> bool {
        match &self.content {
            Content::Whole { mode, .. } => matches!(mode, WriteMode::CreateWithNewId),
            Content::Deleted => false,
        }
    }

    /// The patient in whose chart the change stores a resource; none for a deletion, which needs no patient that exists.
    pub(super) fn chart(&self) -> Option<Uuid> {
        self.owner.filter(|_| self.resource().is_some())
    }

    /// Whether the change stores a Patient.
    pub(super) fn stores_patient(&self) -> bool {
        self.resource_type == ResourceType::Patient && self.resource().is_some()
    }

    /// The resource as an audit event names it.
    pub(super) fn record(&self, version: Option<u32>) -> Record {
        self.record_of(self.owner, version)
    }

    /// The same as a record of this patient, or of the organization.
    pub(super) fn record_of(&self, patient: Option<Uuid>, version: Option<u32>) -> Record {
        let organization = self.permitted.caller().organization();
        let subject = subject(organization, self.resource_type).id(self.id);
        let patient = patient.map(Into::into);
        let subject = patient.map_or(subject, |patient| subject.patient(patient));
        Record { subject, version }
    }
}

/// The effect of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    /// The resource was created, possibly after it was deleted.
    Created,
    /// The resource has a new version.
    Amended,
    /// The resource has a new version without content: it is deleted.
    Deleted,
    /// The current version is exactly the resource that was sent.
    Unchanged,
    /// The resource to be deleted does not exist, or is deleted already.
    Absent,
}

impl Effect {
    /// Whether a version is written.
    pub(super) const fn writes(self) -> bool {
        match self {
            Self::Created | Self::Amended | Self::Deleted => true,
            Self::Unchanged | Self::Absent => false,
        }
    }
}

/// The result of a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applied {
    /// The effect.
    pub(crate) effect: Effect,
    /// The resource's version after the change; version 0 for a resource that never existed.
    pub(crate) meta: VersionMeta,
}
