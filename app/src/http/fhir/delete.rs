//! `DELETE /fhir/{type}/{id}`: the delete interaction.

use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
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
use crate::http::openapi::Id;
use crate::http::openapi::OutcomeResponse;
use crate::http::state::AppState;
use crate::services::budget::CallerId;

/// Deletes a resource: it is no longer found, and its former versions stay in its history. The response is the same for a
/// resource that does not exist.
///
/// # Errors
///
/// 409 for a Patient whose chart has other resources; 412 if the current version is not the one that `If-Match` names; see
/// [`Problem`](crate::http::problem::Problem) for others.
#[utoipa::path(
    delete,
    path = "/fhir/{type}/{id}",
    operation_id = "fhir.delete",
    params(TypePath, Id, FormatQuery, SubsetQuery),
    responses(
        (status = 204, description = "The resource is deleted, or does not exist"),
        (status = 412, response = OutcomeResponse),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((resource_type, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    let target = request::reference(&resource_type, &id)?;
    single_write::screen_query(target, query.as_deref())?;
    let precondition = match single_write::if_match(&headers)? {
        Some(version) => WritePrecondition::Version(version),
        None => WritePrecondition::None,
    };
    let write = ResourceWrite {
        entry: 0,
        resource_type: target.resource_type,
        id: target.id,
        content: WriteContent::Delete,
        precondition,
        condition: None,
    };
    let memory = app.memory.reserve(CallerId::of(&caller), 0)?;
    let preference = ReturnPreference::Minimal;
    single_write::execute(&app, &caller, write, memory, preference).await
}
