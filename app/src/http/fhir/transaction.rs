//! A transaction: every write or none.

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

/// Which entry of the Bundle a change is, and what it writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryRef {
    /// The entry's index.
    pub(super) entry: usize,
    /// What it writes.
    pub(super) target: Reference,
}

/// The responses to a Bundle's entries, in its order, with their memory.
pub(super) type Responses = (Disclosed<Vec<EntryJson>>, Reservation);

/// Does all writes of a transaction.
///
/// # Errors
///
/// Whatever is wrong with one of them; then none was done.
pub(super) async fn transaction(
    app: &AppState,
    caller: &Caller,
    writes: Vec<ResourceWrite>,
) -> Result<Responses, FhirError> {
    // The responses, and their copy in the response.
    let memory = 2 * ENTRY_RESPONSE_BYTES.saturating_mul(writes.len());
    let reserved = app.memory.reserve(CallerId::of(caller), memory)?;
    let mut origins = Vec::with_capacity(writes.len());
    let mut changes = Vec::with_capacity(writes.len());
    for write in writes {
        let (origin, change) = into_change(app, caller, write).await?;
        origins.push(origin);
        changes.push(change);
    }
    let applied = app.records.apply(&changes).await;
    let applied = applied.map_err(|error| first_refusal(error, &origins))?;
    let mut responses: Vec<_> = origins.iter().zip(applied).collect();
    responses.sort_by_key(|(origin, _)| origin.entry);
    let responses = responses
        .into_iter()
        .map(|(origin, applied)| entry_response(*origin, applied));
    Ok((Disclosed::all(responses), reserved))
}

/// A permitted write, as the record service takes it.
pub(super) async fn into_change<'caller>(
    app: &AppState,
    caller: &'caller Caller,
    write: ResourceWrite,
) -> Result<(EntryRef, Change<'caller>), ServiceError> {
    let (resource_type, id) = (write.resource_type, write.id);
    let origin = EntryRef {
        entry: write.entry,
        target: Reference { resource_type, id },
    };
    let subject = subject(caller.organization(), resource_type).id(id);
    let subject = match write.owner {
        Some(patient) => subject.patient(patient.into()),
        None => subject,
    };
    let permitted = app.gate.permit(caller, Write, subject).await?;
    Ok((origin, Change::new(permitted, write)))
}

/// The response to a change that was made: ids and versions, no content.
pub(super) fn entry_response(origin: EntryRef, applied: Applied) -> Disclosed<EntryJson> {
    let response = EntryResponse::Written {
        target: origin.target,
        meta: applied.meta,
        created: applied.effect == Effect::Created,
    };
    NotPhi::assert(
        EntryJson::from(response),
        "ids and versions of what the caller wrote",
    )
    .into()
}

/// The error of a transaction: the outcome of the first change that was refused.
fn first_refusal(error: ApplyError, origins: &[EntryRef]) -> FhirError {
    let refusals = match error {
        ApplyError::Refused(refusals) => refusals,
        ApplyError::Service(error) => return error.into(),
    };
    let first = refusals.first().and_then(|refusal| {
        let origin = origins.get(refusal.change)?;
        Some(refusal_outcome(refusal.reason, *origin))
    });
    first.map_or_else(|| ServiceError::Internal.into(), FhirError::Refused)
}

/// The outcome of a refused change, at its entry.
pub(super) fn refusal_outcome(reason: RefusalReason, origin: EntryRef) -> OperationOutcome {
    let (status, code, why) = match reason {
        RefusalReason::UnknownOwner => (
            Status::UnprocessableEntity,
            IssueCode::BusinessRule,
            "the patient that it belongs to is not there",
        ),
        RefusalReason::OwnerChanged => (
            Status::Conflict,
            IssueCode::Conflict,
            "it belongs to another patient, and the patient that a resource belongs to never changes",
        ),
        RefusalReason::AlreadyExists => (Status::Conflict, IssueCode::Duplicate, "its id is taken"),
        RefusalReason::MedicalRecordNumberTaken => (
            Status::Conflict,
            IssueCode::Duplicate,
            "its medical record number belongs to another patient",
        ),
        RefusalReason::TooManySocialSecurityNumbers => (
            Status::UnprocessableEntity,
            IssueCode::TooCostly,
            "a patient has at most 10 social security numbers",
        ),
        RefusalReason::DemographicsTooLong => (
            Status::UnprocessableEntity,
            IssueCode::TooLong,
            "a patient's names and contact data are too long: every name is searchable, and all take at most 16 KiB",
        ),
        RefusalReason::OwnerDestroyed => (
            Status::Conflict,
            IssueCode::Conflict,
            "the patient's data was destroyed, and the id stays unused",
        ),
        RefusalReason::TooManyVersions => {
            (Status::Conflict, IssueCode::Conflict, "too many versions")
        }
    };
    let issue = Issue::new(code, why).at(&place(reason, origin));
    OperationOutcome::new(status, issue)
}

/// The element that is at fault.
fn place(reason: RefusalReason, origin: EntryRef) -> String {
    let resource = format!("{}.resource", fhir::bundle::entry_place(origin.entry));
    let Reference { resource_type, .. } = origin.target;
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
    fn a_refusal_names_the_entry_and_the_element_to_blame() {
        let origin = |entry, resource_type| EntryRef {
            entry,
            target: Reference {
                resource_type,
                id: Uuid::from_u128(7),
            },
        };
        let rendered = |reason, origin| {
            let outcome = refusal_outcome(reason, origin);
            let place = outcome.issues()[0].expression.clone().unwrap();
            (outcome.status().code(), place)
        };
        let expected = (422, "Bundle.entry[0].resource.patient.reference".to_owned());
        let immunization = origin(0, ResourceType::Immunization);
        assert_eq!(
            rendered(RefusalReason::UnknownOwner, immunization),
            expected
        );
        let expected = (409, "Bundle.entry[4].resource.identifier".to_owned());
        let patient = origin(4, ResourceType::Patient);
        assert_eq!(
            rendered(RefusalReason::MedicalRecordNumberTaken, patient),
            expected
        );
    }
}
