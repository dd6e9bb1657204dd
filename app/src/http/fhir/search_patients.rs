//! `POST /fhir/Patient/_search`.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;

use super::request;
use super::{FhirError, json_response};
use crate::http::state::AppState;
use crate::services::access::ListPatients;
use crate::services::caller::Caller;
use fhir::{Issue, IssueCode, OperationOutcome, search};

/// The patients who match a form, as a searchset Bundle.
///
/// # Errors
///
/// 400 for a form that cannot be read; see [`Problem`](crate::http::problem::Problem) for the rest.
pub(crate) async fn search_patients(
    State(app): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, FhirError> {
    request::screen_query(query.as_deref())?;
    request::ask_form(&headers)?;
    request::ask_accepts_json(&headers)?;
    let query = search::parse(&form, query.as_deref())?;
    let permitted = app.gate.permit(&caller, ListPatients).await?;
    let found = app
        .records
        .search_resources(&caller, &permitted, &query)
        .await?;
    let (patients, total) = found.into_inner();
    let patients = patients
        .into_iter()
        .map(|stored| (stored.resource, stored.stamp))
        .collect();
    Ok(json_response(&search::searchset(
        &app.public_origin,
        total,
        patients,
    )))
}

/// `GET /fhir/{type}`: a search in a URL, which is refused whatever it asks for.
///
/// # Errors
///
/// Always.
pub(crate) async fn refuse_search_by_url(
    _caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, FhirError> {
    request::screen_query(query.as_deref())?;
    let why = "only patients are searched, with POST to /fhir/Patient/_search; other resources are \
               read by type and id";
    let issue = Issue::new(IssueCode::NotSupported, why);
    Err(FhirError::Refused(OperationOutcome::bad_request(vec![
        issue,
    ])))
}
