//! `PATCH /fhir/{type}/{id}`: the patch interaction, by JSON Patch (RFC 6902).

use axum::body::Body;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use fhir::JsonPatch;
use fhir::bundle::ResourceWrite;
use fhir::bundle::WriteContent;
use fhir::bundle::WritePrecondition;
use http::HeaderMap;

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

/// Changes parts of a resource.
///
/// # Errors
///
/// 404 and 410 for a resource that does not exist; 412 if the current version is not the one that `If-Match` names; 422 for a
/// patch that cannot be applied, or whose result is invalid; see [`Problem`](crate::http::problem::Problem) for others.
#[utoipa::path(
    patch,
    path = "/fhir/{type}/{id}",
    operation_id = "fhir.patch",
    params(TypePath, Id, FormatQuery, SubsetQuery),
    request_body(content((Resource = "application/json-patch+json"))),
    responses(
        (status = 200, response = FhirResource),
        (status = 412, response = OutcomeResponse),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn patch(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((resource_type, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, FhirError> {
    let target = request::reference(&resource_type, &id)?;
    let checked = single_write::screen_query(target, query.as_deref())
        .and_then(|()| request::require_patch_body(&headers))
        .and_then(|()| request::require_json_accepted(&headers))
        .and_then(|()| single_write::if_match(&headers));
    let version = checked.as_ref().copied().unwrap_or_default();
    let precondition = version.map_or(WritePrecondition::None, WritePrecondition::Version);
    let checked = checked.map(drop);
    let preference = ReturnPreference::of(&headers).unwrap_or(ReturnPreference::Representation);
    let parser = move |bytes: &[u8]| {
        Ok(ResourceWrite {
            entry: 0,
            resource_type: target.resource_type,
            id: target.id,
            content: WriteContent::Patch(JsonPatch::parse(bytes)?),
            precondition,
            condition: None,
        })
    };
    let read = single_write::read_body(&app, &caller, target, checked, body, parser);
    let (write, memory) = read.await?;
    single_write::execute(&app, &caller, write, memory, preference).await
}
