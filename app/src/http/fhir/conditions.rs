//! Resolution of a Bundle's conditions: for each a search for a resource with an identifier.

use access::Caller;
use access::Search;
use fhir::ResourceType;
use fhir::bundle::ConditionMatch;
use fhir::bundle::ConditionScope;
use fhir::bundle::ConditionalIdentifier;
use fhir::bundle::ConditionalQuery;
use fhir::bundle::ConditionalSystem;
use fhir::search;
use fhir::search::ResourceQuery;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::FhirError;
use crate::http::state::AppState;
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
) -> Result<Vec<ConditionMatch>, FhirError> {
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
) -> Result<ConditionMatch, FhirError> {
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
    let form = form(&condition.identifier, patient);
    let found = if condition.resource_type == ResourceType::Patient {
        let query = search::parse(form.as_bytes(), None)?;
        app.records.patient_ids(&permitted, &query).await?
    } else {
        let base = format!("{}/fhir", app.public_origin);
        let query = ResourceQuery::parse(condition.resource_type, &base, form.as_bytes(), None)?;
        app.records.resource_ids(&permitted, &query).await?
    };
    Ok(match found.into_inner().as_slice() {
        [] => ConditionMatch::None,
        [id] => ConditionMatch::One(*id),
        [_, _, ..] => ConditionMatch::Many,
    })
}

/// The search form of a condition.
fn form(identifier: &ConditionalIdentifier, patient: Option<Uuid>) -> Zeroizing<String> {
    let value = escaped(&identifier.value);
    let token = Zeroizing::new(match &identifier.system {
        ConditionalSystem::Any => value.to_string(),
        ConditionalSystem::None => format!("|{}", *value),
        ConditionalSystem::Is(system) => format!("{}|{}", *escaped(system), *value),
    });
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("identifier", &token);
    if let Some(patient) = patient {
        form.append_pair("patient", &patient.to_string());
    }
    Zeroizing::new(form.finish())
}

/// A text with the escapes of R4 3.1.1.4.4.
fn escaped(text: &str) -> Zeroizing<String> {
    let mut escaped = Zeroizing::new(String::with_capacity(2 * text.len()));
    for letter in text.chars() {
        if matches!(letter, '\\' | ',' | '|' | '$') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
