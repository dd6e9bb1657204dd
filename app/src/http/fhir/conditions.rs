//! Resolution of a Bundle's conditions: for each a search for a resource with an identifier.

use access::Caller;
use access::Search;
use fhir::ResourceType;
use fhir::bundle::ConditionMatch;
use fhir::bundle::ConditionScope;
use fhir::bundle::ConditionalQuery;

use crate::http::state::AppState;
use crate::services::error::ServiceError;
use crate::services::records::subject;

/// The results of conditions, in the same order. Each search is recorded like any other.
///
/// # Errors
///
/// A search is not permitted, or failed.
pub(super) async fn resolve(
    app: &AppState,
    caller: &Caller,
    conditions: &[ConditionalQuery],
) -> Result<Vec<ConditionMatch>, ServiceError> {
    let mut matches = Vec::with_capacity(conditions.len());
    for condition in conditions {
        let found = search(app, caller, condition, &matches).await?;
        matches.push(found);
    }
    Ok(matches)
}

async fn search(
    app: &AppState,
    caller: &Caller,
    condition: &ConditionalQuery,
    earlier: &[ConditionMatch],
) -> Result<ConditionMatch, ServiceError> {
    let patient = match condition.scope {
        ConditionScope::Organization => None,
        ConditionScope::Patient(patient) => Some(patient),
        ConditionScope::MatchOf(index) => match earlier.get(index) {
            Some(ConditionMatch::One(patient)) => Some(*patient),
            Some(ConditionMatch::None | ConditionMatch::Many) | None => {
                return Ok(ConditionMatch::None);
            }
        },
    };
    let subject = subject(caller.organization(), condition.resource_type);
    let subject = patient.map_or(subject, |patient| subject.patient(patient.into()));
    let permitted = app.gate.permit(caller, Search, subject).await?;
    let identifier = &condition.identifier;
    let found = if condition.resource_type == ResourceType::Patient {
        app.records.patients_with_identifier(&permitted, identifier).await?
    } else {
        let of = (condition.resource_type, patient);
        app.records.with_identifier(&permitted, of, identifier).await?
    };
    Ok(match found.into_inner().as_slice() {
        [] => ConditionMatch::None,
        [id] => ConditionMatch::One(*id),
        [_, _, ..] => ConditionMatch::Many,
    })
}
