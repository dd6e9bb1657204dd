//! `GET /fhir/{type}/{id}`.

use access::Read;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};

use super::body::ResponseBody;
use super::request::{self, FormatQuery, TypePath};
use super::{FhirError, json_response};
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::{FhirResource, Id, Outcome};
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::records::subject;
use fhir::{Issue, IssueCode, OperationOutcome, Reference, ResourceType, Status, parse_id};

/// The current version of a resource.
///
/// # Errors
///
/// 404 also where the resource belongs to another organization; see [`Problem`] for the rest.
#[utoipa::path(
    get,
    path = "/fhir/{type}/{id}",
    params(TypePath, Id, FormatQuery),
    responses((status = 200, response = FhirResource), (status = "default", response = Outcome))
)]
pub(crate) async fn read(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((resource_type, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    request::screen_query(query.as_deref())?;
    request::ask_accepts_json(&headers)?;
    let Reference { resource_type, id } = target(&resource_type, &id)?;
    let subject = subject(caller.organization(), resource_type).id(id);
    let permitted = app.gate.permit(&caller, Read, subject).await?;
    let stored = app
        .records
        .read(&permitted, resource_type, id, MAX_RESPONSE_BYTES)
        .await?;
    let mut etag = String::new();
    let body = stored.map(|stored| {
        etag = stored.meta.etag();
        let document = stored.resource.with_meta(stored.meta).into_document();
        ResponseBody::reserved(document.to_bytes(), stored.reserved)
    });
    let etag = HeaderValue::try_from(etag).map_err(Problem::internal)?;
    let mut response = json_response(body);
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}

/// What the address names. A type or an id that cannot be is not found, and the answer says why.
fn target(resource_type: &str, id: &str) -> Result<Reference, OperationOutcome> {
    let resource_type: ResourceType = resource_type.parse().map_err(|_unknown| {
        let kept = ResourceType::names();
        let issue = Issue::new(
            IssueCode::NotSupported,
            format!("supported are only: {kept}"),
        );
        OperationOutcome::new(Status::NotFound, issue)
    })?;
    let id = parse_id(id).map_err(|issue| OperationOutcome::new(Status::NotFound, issue))?;
    Ok(Reference { resource_type, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_there_is_not_found_and_not_repeated() {
        for (resource_type, id) in [
            ("Claim", "c757873d-ec9a-4326-a141-556f43239520"),
            ("Patient", "M-123"),
        ] {
            let outcome = target(resource_type, id).expect_err("not found");
            assert_eq!(outcome.status(), Status::NotFound);
            assert!(!outcome.to_json().to_string().contains(id));
        }
    }
}
