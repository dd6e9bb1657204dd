//! The FHIR API, one interaction per file: each handler obtains a permit, acts and discloses.

use access::Disclosed;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::response::Response;
use fhir::FHIR_JSON;
use fhir::OperationOutcome;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use zeroize::Zeroizing;

use crate::http::body::ResponseBody;
use crate::http::problem::Problem;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;

mod batch;
pub(crate) mod bundle;
mod bundle_execution;
pub(crate) mod compartment;
mod conditions;
pub(crate) mod create;
mod cursor;
pub(crate) mod delete;
mod entry_read;
mod entry_write;
pub(crate) mod everything;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod metadata;
mod parameters;
pub(crate) mod patch;
mod preference;
pub(crate) mod read;
mod request;
pub(crate) mod search;
mod search_patients;
mod single_write;
mod transaction;
pub(crate) mod update;
pub(crate) mod validate;

/// The error of a FHIR handler.
#[derive(Debug)]
pub(crate) enum FhirError {
    /// The request is refused with this outcome.
    Refused(OperationOutcome),
    /// A service failed.
    Service(ServiceError),
    /// Another problem, which `request_context` renders.
    Failed(Problem),
}

impl From<OperationOutcome> for FhirError {
    fn from(outcome: OperationOutcome) -> Self {
        Self::Refused(outcome)
    }
}

impl From<Problem> for FhirError {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl From<ServiceError> for FhirError {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl IntoResponse for FhirError {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(outcome) => outcome_response(&outcome),
            Self::Service(error) => Problem::from(error).into_response(),
            Self::Failed(problem) => problem.into_response(),
        }
    }
}

/// 200 with a disclosed body, whose buffer is zeroized after it is sent.
fn json_response(body: Disclosed<ResponseBody>) -> Response {
    fhir_response(StatusCode::OK, body.into_inner())
}

/// 200 with a disclosed Bundle, and its memory until it is sent.
fn bundle_response(bundle: Disclosed<(Zeroizing<Vec<u8>>, Reservation)>) -> Response {
    json_response(bundle.map(|(bundle, reserved)| ResponseBody::reserved(bundle, reserved)))
}

/// The response with an `OperationOutcome` and its status.
pub(crate) fn outcome_response(outcome: &OperationOutcome) -> Response {
    let status =
        StatusCode::from_u16(outcome.status().code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    fhir_response(status, outcome.to_json().to_string())
}

fn fhir_response(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = (status, body.into()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_fhir_json_and_is_not_cached() {
        let response = outcome_response(&OperationOutcome::internal(uuid::Uuid::from_u128(7)));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], FHIR_JSON);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }
}
