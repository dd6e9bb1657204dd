//! `GET /fhir/Patient/{id}/{type}`: the search in a patient's compartment.

use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::ResourceType;
use fhir::Status;
use fhir::search;
use http::HeaderMap;
use zeroize::Zeroizing;

use super::FhirError;
use super::bundle_response;
use super::parameters::CompartmentPath;
use super::parameters::FormatQuery;
use super::parameters::PatientPath;
use super::parameters::SearchQuery;
use super::request;
use super::search::resources;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::FhirResource;
use crate::http::openapi::Id;
use crate::http::openapi::OutcomeResponse;
use crate::http::state::AppState;
use crate::services::request_budget::RequestBudget;

/// The resources of a type in a patient's chart that match opaque parameters.
///
/// # Errors
///
/// 404 for a type that charts do not have; 400 for a parameter that may identify a person: the outcome shows the POST that
/// is sent instead.
#[utoipa::path(
    get,
    path = "/fhir/{type}/{id}/{compartment}",
    operation_id = "fhir.search_in_compartment",
    params(PatientPath, Id, CompartmentPath, SearchQuery, FormatQuery),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn by_url(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((of, id, resource_type)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    let patient = patient(&of, &id)?;
    let resource_type = compartment_type(&resource_type)?;
    request::require_json_accepted(&headers)?;
    let query = query.unwrap_or_default();
    search::url::screen(resource_type, &app.fhir_base(), &query)?;
    let parameters = Zeroizing::new(query.into_bytes());
    let budget = RequestBudget::new();
    let of = (resource_type, Some(patient.id));
    let found = resources(&app, &caller, &budget, of, parameters);
    Ok(bundle_response(found.await?))
}

/// The Patient in a path.
///
/// # Errors
///
/// 404 for another type, and for a malformed id.
pub(super) fn patient(name: &str, id: &str) -> Result<Reference, OperationOutcome> {
    let patient = request::reference(name, id)?;
    if patient.resource_type == ResourceType::Patient {
        return Ok(patient);
    }
    let why = "only a Patient has a compartment and the operation $everything";
    Err(not_found(why))
}

/// The type of resources of a chart in a path.
///
/// # Errors
///
/// 404 for another type.
fn compartment_type(name: &str) -> Result<ResourceType, OperationOutcome> {
    let resource_type = request::resource_type(name)?;
    if resource_type.may_be_in_chart() {
        return Ok(resource_type);
    }
    let why = "resources of this type are not in a patient's compartment: search for them at [base]/[type]";
    Err(not_found(why))
}

fn not_found(why: &'static str) -> OperationOutcome {
    OperationOutcome::new(Status::NotFound, Issue::new(IssueCode::NotFound, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "c757873d-ec9a-4326-a141-556f43239520";

    #[test]
    fn only_a_patient_has_a_compartment_of_resources_of_charts() {
        assert!(patient("Patient", ID).is_ok());
        for (name, id) in [("Observation", ID), ("Patient", "SECRET"), ("SECRET", ID)] {
            let refused = patient(name, id).expect_err(name);
            assert_eq!(refused.status(), Status::NotFound);
            assert!(!refused.to_json().to_string().contains("SECRET"));
        }
        assert!(compartment_type("Observation").is_ok());
        assert!(compartment_type("Coverage").is_ok());
        for name in ["Practitioner", "Patient", "SECRET"] {
            let refused = compartment_type(name).expect_err(name);
            assert_eq!(refused.status(), Status::NotFound);
        }
    }
}
