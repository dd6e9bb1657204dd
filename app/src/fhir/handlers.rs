//! The FHIR surface: each handler permits, acts and discloses.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::outcome::FHIR_JSON;
use super::{Document, Outcome};
use crate::problem::Problem;

mod apart;
pub(crate) mod metadata;
pub(crate) mod read;
mod rights;
pub(crate) mod search_patients;
mod together;
pub(crate) mod transaction;

/// Why a request is not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was sent cannot be done; the outcome tells why, and where.
    Refused(Outcome),
    /// Anything else, told as every surface tells it.
    Failed(Problem),
}

impl From<Outcome> for Failure {
    fn from(outcome: Outcome) -> Self {
        Self::Refused(outcome)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(outcome) => outcome.into_response(),
            Self::Failed(problem) => problem.into_response(),
        }
    }
}

/// An answer of 200, in a buffer that is wiped when it was sent.
fn answered(document: &Document) -> Response {
    let body = Bytes::from_owner(document.to_bytes());
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
