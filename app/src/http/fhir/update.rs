//! `PUT /fhir/{type}/{id}`: the update interaction, which also creates a resource under a given id.

use axum::body::Body;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use fhir::OperationOutcome;
use fhir::bundle::WritePrecondition;
use fhir::bundle::single;
use http::HeaderMap;
use http::header;

use super::FhirError;
use super::parameters::FormatQuery;
use super::parameters::SubsetQuery;
use super::parameters::TypePath;
use super::preference::ReturnPreference;
use super::request;
use super::single_write;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::FhirResource;
use crate::http::openapi::Id;
use crate::http::openapi::OutcomeResponse;
use crate::http::openapi::Resource;
use crate::http::state::AppState;

/// Updates a resource, or creates it under the id.
///
/// # Errors
///
/// 400 for a malformed body, 412 if the current version is not the one that `If-Match` names or, with
/// `If-None-Match: *`, if there is one, 422 for an invalid resource; see [`Problem`](crate::http::problem::Problem) for
/// others.
#[utoipa::path(
    put,
    path = "/fhir/{type}/{id}",
    operation_id = "fhir.update",
    params(TypePath, Id, FormatQuery, SubsetQuery),
    request_body(content(
        (Resource = "application/fhir+json"),
        ("application/json"),
        ("text/json")
    )),
    responses(
        (status = 200, response = FhirResource),
        (status = 201, response = FhirResource),
        (status = 412, response = OutcomeResponse),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn update(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((resource_type, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    let target = request::reference(&resource_type, &id)?;
    let checked = single_write::screen_query(target, query.as_deref())
        .and_then(|()| request::require_json_body(&headers))
        .and_then(|()| request::require_json_accepted(&headers))
        .and_then(|()| precondition(&headers));
    let preference = ReturnPreference::of(&headers).unwrap_or(ReturnPreference::Representation);
    let server = app.fhir_base();
    let parser = move |bytes: &[u8]| single::update(bytes, target, &server);
    let precondition = checked.as_ref().copied().unwrap_or(WritePrecondition::None);
    let checked = checked.map(drop);
    let read = single_write::read_body(&app, &caller, target, checked, body, parser);
    let (mut write, memory) = read.await?;
    write.precondition = precondition;
    single_write::execute(&app, &caller, write, memory, preference).await
}

/// The precondition of an update: `If-Match`, or `If-None-Match: *`.
fn precondition(headers: &HeaderMap) -> Result<WritePrecondition, OperationOutcome> {
    if let Some(version) = single_write::if_match(headers)? {
        return Ok(WritePrecondition::Version(version));
    }
    let none_match = headers.get(header::IF_NONE_MATCH);
    let is_absent = none_match.is_some_and(|value| value.as_bytes() == b"*");
    Ok(if is_absent {
        WritePrecondition::Absent
    } else {
        WritePrecondition::None
    })
}
