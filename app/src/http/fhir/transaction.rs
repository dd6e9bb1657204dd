//! A transaction: every write or none.

use super::FhirError;
use access::{Caller, Disclosed, NotPhi, Write};

use crate::http::state::AppState;
use crate::services::error::ServiceError;
use crate::services::records::{Applied, ApplyError, Change, Effect, subject};
use fhir::bundle::{EntryResponse, ResourceWrite};
use fhir::{Issue, IssueCode, OperationOutcome, Reference, ResourceType, Status};

/// Which entry of the Bundle a change is, and what it writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryRef {
    /// The entry's index.
    pub(super) entry: usize,
    /// What it writes.
    pub(super) target: Reference,
}

/// Does all writes of a transaction; the responses are in the Bundle's order.
///
/// # Errors
///
/// Whatever is wrong with one of them; then none was done.
pub(super) async fn transaction(
    app: &AppState,
    caller: &Caller,
    writes: Vec<ResourceWrite>,
) -> Result<Disclosed<Vec<EntryResponse>>, FhirError> {
    let mut origins = Vec::with_capacity(writes.len());
    let mut changes = Vec::with_capacity(writes.len());
    for write in writes {
        let (origin, change) = into_change(app, caller, write).await?;
        origins.push(origin);
        changes.push(change);
    }
    let applied = app.records.apply(&changes).await;
    let applied = applied.map_err(|error| match attribute_error(error, &origins) {
        Ok((_, outcome)) => FhirError::Refused(outcome),
        Err(error) => error.into(),
    })?;
    let mut responses: Vec<_> = origins.iter().zip(applied).collect();
    responses.sort_by_key(|(origin, _)| origin.entry);
    let responses = responses
        .into_iter()
        .map(|(origin, applied)| entry_response(*origin, applied));
    Ok(Disclosed::all(responses))
}

/// A permitted write, as the record service takes it.
pub(super) async fn into_change<'caller>(
    app: &AppState,
    caller: &'caller Caller,
    write: ResourceWrite,
) -> Result<(EntryRef, Change<'caller>), ServiceError> {
    let ResourceWrite {
        entry,
        resource_type,
        id,
        owner,
        resource,
        create,
    } = write;
    let origin = EntryRef {
        entry,
        target: Reference { resource_type, id },
    };
    let subject = subject(caller.organization(), resource_type).id(id);
    let subject = match owner {
        Some(patient) => subject.patient(patient.into()),
        None => subject,
    };
    let permitted = app.gate.permit(caller, Write, subject).await?;
    let change = Change {
        permitted,
        resource_type,
        id,
        owner,
        resource,
        create,
    };
    Ok((origin, change))
}

/// The response to a change that was made: ids and versions, no content.
pub(super) fn entry_response(origin: EntryRef, applied: Applied) -> Disclosed<EntryResponse> {
    let response = EntryResponse::Written {
        target: origin.target,
        meta: applied.meta,
        created: applied.effect == Effect::Created,
    };
    NotPhi::assert(response, "ids and versions of what the caller wrote").into()
}

/// The change that caused an error, with the outcome of its entry; or the error, if no change did.
pub(super) fn attribute_error(
    error: ApplyError,
    origins: &[EntryRef],
) -> Result<(usize, OperationOutcome), ServiceError> {
    let (index, status, code, why) = match error {
        ApplyError::UnknownOwner(index) => (
            index,
            Status::UnprocessableEntity,
            IssueCode::BusinessRule,
            "the patient that it belongs to is not there",
        ),
        ApplyError::OwnerChanged(index) => (
            index,
            Status::Conflict,
            IssueCode::Conflict,
            "it belongs to another patient, and whom a resource belongs to never changes",
        ),
        ApplyError::AlreadyThere(index) => (
            index,
            Status::Conflict,
            IssueCode::Duplicate,
            "its id is taken",
        ),
        ApplyError::RecordNumberTaken(index) => (
            index,
            Status::Conflict,
            IssueCode::Duplicate,
            "its medical record number belongs to another patient",
        ),
        ApplyError::Service(problem) => return Err(problem),
    };
    let origin = origins.get(index).ok_or(ServiceError::Internal)?;
    let place = place(error, *origin);
    Ok((
        index,
        OperationOutcome::new(status, Issue::new(code, why).at(&place)),
    ))
}

/// The element that is at fault.
fn place(error: ApplyError, origin: EntryRef) -> String {
    let resource = format!("{}.resource", fhir::bundle::entry_place(origin.entry));
    let Reference { resource_type, .. } = origin.target;
    match (error, resource_type.owner_paths().first()) {
        (ApplyError::UnknownOwner(_) | ApplyError::OwnerChanged(_), Some(path)) => {
            format!("{resource}.{}.reference", path.replace("[]", ""))
        }
        (ApplyError::RecordNumberTaken(_), _) if resource_type == ResourceType::Patient => {
            format!("{resource}.identifier")
        }
        (
            ApplyError::UnknownOwner(_)
            | ApplyError::OwnerChanged(_)
            | ApplyError::AlreadyThere(_)
            | ApplyError::RecordNumberTaken(_)
            | ApplyError::Service(_),
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
        let origins = [
            origin(4, ResourceType::Patient),
            origin(0, ResourceType::Immunization),
        ];
        let told = |error| {
            let (index, outcome) = attribute_error(error, &origins).expect("an entry's fault");
            (
                index,
                outcome.status().code(),
                outcome.issues()[0].expression.clone().unwrap(),
            )
        };
        let expected = (
            1,
            422,
            "Bundle.entry[0].resource.patient.reference".to_owned(),
        );
        assert_eq!(told(ApplyError::UnknownOwner(1)), expected);
        let expected = (0, 409, "Bundle.entry[4].resource.identifier".to_owned());
        assert_eq!(told(ApplyError::RecordNumberTaken(0)), expected);
        let unavailable = ApplyError::Service(ServiceError::Unavailable(5));
        assert_eq!(
            attribute_error(unavailable, &origins),
            Err(ServiceError::Unavailable(5))
        );
    }
}
