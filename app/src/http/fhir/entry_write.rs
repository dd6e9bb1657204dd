//! The writes of a request as changes for the record service, and the responses to them.

use std::collections::HashSet;
use std::sync::Arc;

use access::Caller;
use access::Write;

use super::FhirError;
use super::preference::ReturnPreference;
use crate::http::state::AppState;
use crate::services::records::Applied;
use crate::services::records::BasisError;
use crate::services::records::Change;
use crate::services::records::Effect;
use crate::services::records::Evidence;
use crate::services::records::RefusalReason;
use crate::services::records::contained_issue;
use crate::services::records::subject;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::Resource;
use fhir::Status;
use fhir::bundle::EntryResponse;
use fhir::bundle::ResourceWrite;
use fhir::bundle::WriteContent;
use fhir::bundle::WrittenContent;
use uuid::Uuid;

/// The place of a write in its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryRef {
    /// The index of the Bundle entry; none outside a Bundle.
    pub(super) index: Option<usize>,
    /// The resource that is written.
    pub(super) target: Reference,
    /// The index of the condition that decided on the write.
    pub(super) condition: Option<usize>,
}

impl EntryRef {
    /// The place of an entry's write.
    pub(super) fn of_entry(write: &ResourceWrite) -> Self {
        Self {
            index: Some(write.entry),
            target: write.target(),
            condition: write.condition,
        }
    }

    /// The path of the resource in its request.
    fn resource_path(self) -> String {
        match self.index {
            Some(index) => format!("{}.resource", fhir::bundle::entry_path(index)),
            None => self.target.resource_type.name().to_owned(),
        }
    }
}

/// Obtains the permit for a write, and converts it to a change for the record service. `condition` is the evidence of the
/// condition on which it depends. A chart that the caller does not reach, of one of the `stored_patients`, may be new: the same
/// transaction stores the Patient. That is decided when all of its writes are recorded.
///
/// # Errors
///
/// The outcome of a write that the stored resource does not permit, or another error.
pub(super) async fn into_change<'caller>(
    app: &AppState,
    caller: &'caller Caller,
    entry: EntryRef,
    write: ResourceWrite,
    condition: Option<Arc<Evidence>>,
    stored_patients: &HashSet<Uuid>,
) -> Result<Change<'caller>, FhirError> {
    let (resource_type, id) = (write.resource_type, write.id);
    let subject = subject(caller.organization(), resource_type).id(id);
    let may_be_new = |patient: &Uuid| {
        stored_patients.contains(patient) && !caller.reaches_chart((*patient).into())
    };
    let subject = match &write.content {
        WriteContent::Whole {
            owner: Some(patient),
            ..
        } if !may_be_new(patient) => subject.patient((*patient).into()),
        WriteContent::Whole { .. } | WriteContent::Patch(_) | WriteContent::Delete => subject,
    };
    let permitted = app.gate.permit(caller, Write, subject).await?;
    let server = app.fhir_base();
    let change = app
        .records
        .change(permitted, write, condition, &server)
        .await;
    change.map_err(|error| match error {
        BasisError::Refused(reason) => FhirError::Refused(refusal_outcome(reason, entry)),
        BasisError::Contained(index) => {
            let issue = contained_issue(&entry.resource_path(), index);
            FhirError::Refused(OperationOutcome::new(Status::UnprocessableEntity, issue))
        }
        BasisError::Patch(outcome) => FhirError::Refused(outcome),
        BasisError::Service(error) => error.into(),
    })
}

/// The response to a change that was applied. `resource` is the stored resource, for a representation.
pub(super) fn entry_response(
    entry: EntryRef,
    applied: Applied,
    preference: ReturnPreference,
    resource: Option<Resource>,
) -> EntryResponse {
    let content = match (preference, resource) {
        (ReturnPreference::Representation, Some(resource)) => {
            WrittenContent::Representation(resource)
        }
        (ReturnPreference::OperationOutcome, _) => WrittenContent::OperationOutcome,
        (ReturnPreference::Minimal | ReturnPreference::Representation, _) => {
            WrittenContent::Minimal
        }
    };
    let (target, meta) = (entry.target, applied.meta);
    match applied.effect {
        Effect::Deleted => EntryResponse::Deleted { meta: Some(meta) },
        Effect::Absent => EntryResponse::Deleted { meta: None },
        Effect::Created | Effect::Amended | Effect::Unchanged => EntryResponse::Written {
            target,
            meta,
            created: applied.effect == Effect::Created,
            content,
        },
    }
}

/// The outcome of a refused change, with the path of the element in its request.
pub(super) fn refusal_outcome(reason: RefusalReason, entry: EntryRef) -> OperationOutcome {
    let (status, code) = status_and_code(reason);
    let issue = Issue::new(code, text(reason)).at(&element_path(reason, entry));
    OperationOutcome::new(status, issue)
}

/// The status and the code of a refusal.
const fn status_and_code(reason: RefusalReason) -> (Status, IssueCode) {
    use IssueCode as Code;
    match reason {
        RefusalReason::UnknownOwner => (Status::UnprocessableEntity, Code::BusinessRule),
        RefusalReason::OwnerChanged
        | RefusalReason::OwnerDestroyed
        | RefusalReason::TooManyVersions
        | RefusalReason::ChangedMeanwhile => (Status::Conflict, Code::Conflict),
        RefusalReason::AlreadyExists | RefusalReason::MedicalRecordNumberTaken => {
            (Status::Conflict, Code::Duplicate)
        }
        RefusalReason::TooManySocialSecurityNumbers => {
            (Status::UnprocessableEntity, Code::TooCostly)
        }
        RefusalReason::DemographicsTooLong => (Status::UnprocessableEntity, Code::TooLong),
        RefusalReason::PreconditionFailed => (Status::PreconditionFailed, Code::Conflict),
        RefusalReason::NotFound => (Status::NotFound, Code::NotFound),
        RefusalReason::Deleted => (Status::Gone, Code::Deleted),
        RefusalReason::ChartNotEmpty => (Status::Conflict, Code::BusinessRule),
    }
}

/// The text of a refusal.
const fn text(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::UnknownOwner => "the patient that the resource belongs to does not exist",
        RefusalReason::OwnerChanged => {
            "the stored resource belongs to another patient, and the patient of a resource cannot be changed"
        }
        RefusalReason::AlreadyExists => "a resource with this id exists already",
        RefusalReason::MedicalRecordNumberTaken => {
            "the medical record number belongs to another patient"
        }
        RefusalReason::TooManySocialSecurityNumbers => {
            "a patient can have at most 10 social security numbers"
        }
        RefusalReason::DemographicsTooLong => {
            "the names and contact data of the patient are too long: together they are limited to 16 KiB, because all are searchable"
        }
        RefusalReason::OwnerDestroyed => {
            "the data of this patient was destroyed, and the id cannot be used again"
        }
        RefusalReason::TooManyVersions => "the resource has too many versions",
        RefusalReason::PreconditionFailed => {
            "the current version is not the one that the request requires: read the resource again"
        }
        RefusalReason::ChangedMeanwhile => {
            "the resource was changed while the patch was applied: send the patch again"
        }
        RefusalReason::NotFound => "there is no such resource in your organization",
        RefusalReason::Deleted => "the resource is deleted: an update (PUT) restores it",
        RefusalReason::ChartNotEmpty => {
            "the patient's chart has other resources: a Patient is deleted after them"
        }
    }
}

/// The path of the element that causes a refusal.
fn element_path(reason: RefusalReason, entry: EntryRef) -> String {
    let resource = entry.resource_path();
    let owner = entry.target.resource_type.owner_paths().first();
    let of_owner = matches!(
        reason,
        RefusalReason::UnknownOwner | RefusalReason::OwnerChanged
    );
    let of_identifier = matches!(
        reason,
        RefusalReason::MedicalRecordNumberTaken | RefusalReason::TooManySocialSecurityNumbers
    );
    match owner {
        Some(path) if of_owner => format!("{resource}.{}.reference", path.replace("[]", "")),
        None if of_identifier => format!("{resource}.identifier"),
        _ if reason == RefusalReason::DemographicsTooLong => resource,
        _ => format!("{resource}.id"),
    }
}

#[cfg(test)]
mod tests {
    use fhir::ResourceType;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_refusal_has_the_path_of_the_entry_and_the_element() {
        let entry = |index, resource_type| EntryRef {
            index: Some(index),
            target: Reference {
                resource_type,
                id: Uuid::from_u128(7),
            },
            condition: None,
        };
        let rendered = |reason, entry| {
            let outcome = refusal_outcome(reason, entry);
            let path = outcome.issues()[0].expression.clone().unwrap();
            (outcome.status().code(), path)
        };
        let expected = (422, "Bundle.entry[0].resource.patient.reference".to_owned());
        let immunization = entry(0, ResourceType::Immunization);
        assert_eq!(
            rendered(RefusalReason::UnknownOwner, immunization),
            expected
        );
        let expected = (409, "Bundle.entry[4].resource.identifier".to_owned());
        let patient = entry(4, ResourceType::Patient);
        assert_eq!(
            rendered(RefusalReason::MedicalRecordNumberTaken, patient),
            expected
        );
    }
}
