//! Execution of a transaction: all writes or none.

use super::FhirError;
use access::Caller;
use access::Disclosed;
use access::NotPhi;
use access::Write;

use crate::http::state::AppState;
use crate::limits::ENTRY_RESPONSE_BYTES;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::records::Applied;
use crate::services::records::ApplyError;
use crate::services::records::Change;
use crate::services::records::Effect;
use crate::services::records::RefusalReason;
use crate::services::records::subject;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::ResourceType;
use fhir::Status;
use fhir::bundle::EntryJson;
use fhir::bundle::EntryResponse;
use fhir::bundle::ResourceWrite;
use fhir::bundle::TransactionRequest;
use fhir::bundle::WriteContent;
use fhir::bundle::WritePrecondition;
use fhir::bundle::WrittenContent;

/// The Bundle entry of a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryRef {
    /// The index of the entry.
    pub(super) index: usize,
    /// The resource that it writes.
    pub(super) target: Reference,
}

/// The responses to the entries of a Bundle, with the reservation of their memory.
pub(super) struct BundleResponses {
    /// In the order of the Bundle.
    pub(super) entries: Disclosed<Vec<EntryJson>>,
    /// The memory of the responses and their copy in the Bundle.
    pub(super) reserved: Reservation,
}

/// Executes the writes of a transaction.
///
/// # Errors
///
/// The outcome of a write that was refused, or another error; then nothing was written.
pub(super) async fn transaction(
    app: &AppState,
    caller: &Caller,
    request: TransactionRequest,
) -> Result<BundleResponses, FhirError> {
    let TransactionRequest {
        writes,
        no_ops,
        reads,
    } = request;
    if !no_ops.is_empty() || !reads.is_empty() {
        return Err(unsupported().into());
    }
    // The responses to entries, and their copy in the Bundle.
    let memory = 2 * ENTRY_RESPONSE_BYTES.saturating_mul(writes.len());
    let reserved = app.memory.reserve(CallerId::of(caller), memory)?;
    let mut entries = Vec::with_capacity(writes.len());
    let mut changes = Vec::with_capacity(writes.len());
    for write in writes {
        let (entry, change) = into_change(app, caller, write).await?;
        entries.push(entry);
        changes.push(change);
    }
    let applied = app.records.apply(&changes).await;
    let applied = applied.map_err(|error| first_refusal(error, &entries))?;
    let mut responses: Vec<_> = entries.iter().zip(applied).collect();
    responses.sort_by_key(|(entry, _)| entry.index);
    let responses = responses
        .into_iter()
        .map(|(entry, applied)| entry_response(*entry, applied));
    Ok(BundleResponses {
        entries: Disclosed::all(responses),
        reserved,
    })
}

/// Obtains the permit for a write, and converts it to a change for the record service.
pub(super) async fn into_change<'caller>(
    app: &AppState,
    caller: &'caller Caller,
    write: ResourceWrite,
) -> Result<(EntryRef, Change<'caller>), FhirError> {
    let (resource_type, id) = (write.resource_type, write.id);
    let WriteContent::Whole {
        resource,
        owner,
        create,
    } = write.content
    else {
        return Err(unsupported().into());
    };
    if write.precondition != WritePrecondition::None {
        return Err(unsupported().into());
    }
    let entry = EntryRef {
        index: write.entry,
        target: Reference { resource_type, id },
    };
    let subject = subject(caller.organization(), resource_type).id(id);
    let subject = match owner {
        Some(patient) => subject.patient(patient.into()),
        None => subject,
    };
    let permitted = app.gate.permit(caller, Write, subject).await?;
    let target = entry.target;
    Ok((
        entry,
        Change::new(permitted, target, owner, resource, create),
    ))
}

/// The outcome of a request that the record service does not execute yet.
pub(super) fn unsupported() -> OperationOutcome {
    let why = "this request is not supported in a Bundle yet";
    OperationOutcome::bad_request(Issue::new(IssueCode::NotSupported, why))
}

/// The response to a change that was applied: id and version, without content.
pub(super) fn entry_response(entry: EntryRef, applied: Applied) -> Disclosed<EntryJson> {
    let response = EntryResponse::Written {
        target: entry.target,
        meta: applied.meta,
        created: applied.effect == Effect::Created,
        content: WrittenContent::Minimal,
    };
    NotPhi::assert(
        EntryJson::from(response),
        "id and version of a resource that the caller wrote",
    )
    .into()
}

/// The error of a transaction: the outcome of the first refused change.
fn first_refusal(error: ApplyError, entries: &[EntryRef]) -> FhirError {
    let refusals = match error {
        ApplyError::Refused(refusals) => refusals,
        ApplyError::Service(error) => return error.into(),
    };
    let first = refusals.first().and_then(|refusal| {
        let entry = entries.get(refusal.change)?;
        Some(refusal_outcome(refusal.reason, *entry))
    });
    first.map_or_else(|| ServiceError::Internal.into(), FhirError::Refused)
}

/// The outcome of a refused change, with the path of the element in its entry.
pub(super) fn refusal_outcome(reason: RefusalReason, entry: EntryRef) -> OperationOutcome {
    let (status, code, why) = match reason {
        RefusalReason::UnknownOwner => (
            Status::UnprocessableEntity,
            IssueCode::BusinessRule,
            "the patient that the resource belongs to does not exist",
        ),
        RefusalReason::OwnerChanged => (
            Status::Conflict,
            IssueCode::Conflict,
            "the stored resource belongs to another patient, and the patient of a resource cannot be changed",
        ),
        RefusalReason::AlreadyExists => (
            Status::Conflict,
            IssueCode::Duplicate,
            "a resource with this id exists already",
        ),
        RefusalReason::MedicalRecordNumberTaken => (
            Status::Conflict,
            IssueCode::Duplicate,
            "the medical record number belongs to another patient",
        ),
        RefusalReason::TooManySocialSecurityNumbers => (
            Status::UnprocessableEntity,
            IssueCode::TooCostly,
            "a patient can have at most 10 social security numbers",
        ),
        RefusalReason::DemographicsTooLong => (
            Status::UnprocessableEntity,
            IssueCode::TooLong,
            "the names and contact data of the patient are too long: together they are limited to 16 KiB, because all are searchable",
        ),
        RefusalReason::OwnerDestroyed => (
            Status::Conflict,
            IssueCode::Conflict,
            "the data of this patient was destroyed, and the id cannot be used again",
        ),
        RefusalReason::TooManyVersions => (
            Status::Conflict,
            IssueCode::Conflict,
            "the resource has too many versions",
        ),
    };
    let issue = Issue::new(code, why).at(&element_path(reason, entry));
    OperationOutcome::new(status, issue)
}

/// The path of the element that causes a refusal.
fn element_path(reason: RefusalReason, entry: EntryRef) -> String {
    let resource = format!("{}.resource", fhir::bundle::entry_path(entry.index));
    let Reference { resource_type, .. } = entry.target;
    match (reason, resource_type.owner_paths().first()) {
        (RefusalReason::UnknownOwner | RefusalReason::OwnerChanged, Some(path)) => {
            format!("{resource}.{}.reference", path.replace("[]", ""))
        }
        (
            RefusalReason::MedicalRecordNumberTaken | RefusalReason::TooManySocialSecurityNumbers,
            _,
        ) if resource_type == ResourceType::Patient => {
            format!("{resource}.identifier")
        }
        (RefusalReason::DemographicsTooLong, _) => resource,
        (
            RefusalReason::UnknownOwner
            | RefusalReason::OwnerChanged
            | RefusalReason::AlreadyExists
            | RefusalReason::MedicalRecordNumberTaken
            | RefusalReason::TooManySocialSecurityNumbers
            | RefusalReason::OwnerDestroyed
            | RefusalReason::TooManyVersions,
            _,
        ) => format!("{resource}.id"),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_refusal_has_the_path_of_the_entry_and_the_element() {
        let entry = |index, resource_type| EntryRef {
            index,
            target: Reference {
                resource_type,
                id: Uuid::from_u128(7),
            },
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
