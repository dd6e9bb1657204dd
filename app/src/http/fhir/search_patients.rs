//! `POST /fhir/Patient/_search`.

use access::Search;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;

use super::request;
use super::{FhirError, json_response};
use crate::http::authentication::CurrentCaller;
use crate::http::state::AppState;
use crate::services::records::subject;
use fhir::{Issue, IssueCode, OperationOutcome, ResourceType, search};

/// The patients who match a form, as a searchset Bundle.
///
/// # Errors
///
/// 400 for a form that cannot be read; see [`Problem`](crate::http::problem::Problem) for the rest.
pub(crate) async fn search_patients(
    State(app): State<AppState>,
    caller: CurrentCaller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, FhirError> {
    request::screen_query(query.as_deref())?;
    request::ask_form(&headers)?;
    request::ask_accepts_json(&headers)?;
    let query = search::parse(&form, query.as_deref())?;
    let subject = subject(caller.organization(), ResourceType::Patient);
    let permitted = app.gate.permit(&caller, Search, subject).await?;
    let found = app.records.search_resources(&permitted, &query).await?;
    Ok(json_response(found.map(|(patients, total)| {
        let patients = patients.into_iter().map(|it| (it.resource, it.meta));
        search::searchset(&app.public_origin, total, patients.collect())
    })))
}

/// `GET /fhir/{type}`: a search in a URL, which is refused whatever it asks for.
///
/// # Errors
///
/// Always.
pub(crate) async fn refuse_search_by_url(
    _caller: CurrentCaller,
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
