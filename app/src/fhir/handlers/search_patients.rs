//! `POST /fhir/Patient/_search`.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;

use super::{Failure, answered};
use crate::access::ListPatients;
use crate::caller::Caller;
use crate::fhir::{Issue, IssueCode, Outcome, request, search};
use crate::state::App;

/// The patients who match a form, as a searchset Bundle.
///
/// # Errors
///
/// 400 for a form that cannot be read; see [`Problem`](crate::problem::Problem) for the rest.
pub(crate) async fn search_patients(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Failure> {
    request::screen_query(query.as_deref())?;
    request::ask_form(&headers)?;
    request::ask_accepts_json(&headers)?;
    let query = search::parse(&form, query.as_deref())?;
    let permitted = caller.permit(&app, ListPatients).await?;
    let found = app
        .records
        .search_resources(&caller, &permitted, &query)
        .await?;
    let (patients, total) = found.into_inner();
    let patients = patients
        .into_iter()
        .map(|stored| (stored.resource, stored.stamp))
        .collect();
    Ok(answered(&search::searchset(
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
) -> Result<Response, Failure> {
    request::screen_query(query.as_deref())?;
    let why = "only patients are searched, with POST to /fhir/Patient/_search; other resources are \
               read by type and id";
    let issue = Issue::new(IssueCode::NotSupported, why);
    Err(Failure::Refused(Outcome::bad_request(vec![issue])))
}
