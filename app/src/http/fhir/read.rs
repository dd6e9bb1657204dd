//! `GET /fhir/{type}/{id}` and `GET /fhir/{type}/{id}/_history/{version}`: the interactions read and vread.

use access::Disclosed;
use access::Read;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Response;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;

use super::FhirError;
use super::json_response;
use super::parameters::FormatQuery;
use super::parameters::SubsetQuery;
use super::parameters::TypePath;
use super::parameters::VersionPath;
use super::request;
use crate::http::authentication::CurrentCaller;
use crate::http::body::ResponseBody;
use crate::http::conditional;
use crate::http::conditional::Precondition;
use crate::http::conditional::Validators;
use crate::http::conditional::http_date;
use crate::http::openapi::FhirResource;
use crate::http::openapi::Id;
use crate::http::openapi::OutcomeResponse;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::records::StoredResource;
use crate::services::records::subject;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::ResponseForm;
use fhir::Status;
use fhir::VersionMeta;

/// The current version of a resource.
///
/// # Errors
///
/// 404, also for a resource of another organization; 412 if the current version is not the one that the
/// request requires; see [`Problem`] for others.
#[utoipa::path(
    get,
    path = "/fhir/{type}/{id}",
    operation_id = "fhir.read",
    params(TypePath, Id, FormatQuery, SubsetQuery),
    responses(
        (status = 200, response = FhirResource),
        (status = 304, description = "The client has the current version"),
        (status = 412, response = OutcomeResponse),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn read(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((resource_type, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    request::require_json_accepted(&headers)?;
    let Reference { resource_type, id } = request::reference(&resource_type, &id)?;
    let form = ResponseForm::parse(resource_type, query.as_deref().unwrap_or_default())?;
    let subject = subject(caller.organization(), resource_type).id(id);
    let permitted = app.gate.permit(&caller, Read, subject).await?;
    // The read is recorded before its conditions are evaluated: a 304 also discloses something, namely
    // that the version is current.
    let stored = app
        .records
        .read(&permitted, resource_type, id, MAX_RESPONSE_BYTES)
        .await?;
    respond_with(&headers, &form, stored)
}

/// A version of a resource.
///
/// # Errors
///
/// 404 for a version that the resource never had; 410 for one that deletes it; see [`Problem`] for others.
#[utoipa::path(
    get,
    path = "/fhir/{type}/{id}/_history/{version}",
    operation_id = "fhir.vread",
    params(TypePath, Id, VersionPath, FormatQuery, SubsetQuery),
    responses(
        (status = 200, response = FhirResource),
        (status = 304, description = "The client has the version"),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn read_version(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path((resource_type, id, version)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    request::require_json_accepted(&headers)?;
    let Reference { resource_type, id } = request::reference(&resource_type, &id)?;
    let form = ResponseForm::parse(resource_type, query.as_deref().unwrap_or_default())?;
    let version = fhir::parse_version(&version).ok_or(Problem::NotFound)?;
    let subject = subject(caller.organization(), resource_type).id(id);
    let permitted = app.gate.permit(&caller, Read, subject).await?;
    let stored = app
        .records
        .read_version(&permitted, resource_type, id, version, MAX_RESPONSE_BYTES)
        .await?;
    respond_with(&headers, &form, stored)
}

/// The response with a stored version.
fn respond_with(
    headers: &HeaderMap,
    form: &ResponseForm,
    stored: Disclosed<StoredResource>,
) -> Result<Response, FhirError> {
    let mut meta = None;
    let body = stored.map(|stored| {
        meta = Some(stored.meta);
        let document = form.subset(stored.resource).with_meta(stored.meta);
        let bytes = form.render(document.into_document().to_bytes());
        ResponseBody::reserved(bytes, stored.reserved)
    });
    let meta = meta.ok_or(Problem::Internal)?;
    respond(headers, meta, body)
}

/// The response according to the request's conditions (RFC 9110, 13; FHIR R4, 3.1.0.5).
fn respond(
    request: &HeaderMap,
    meta: VersionMeta,
    body: Disclosed<ResponseBody>,
) -> Result<Response, FhirError> {
    let etag = meta.etag();
    let current = Validators {
        etag: &etag,
        last_modified: Some(meta.last_updated),
    };
    let mut response = match conditional::evaluate(request, current) {
        Precondition::Passed => json_response(body),
        Precondition::NotModified => not_modified(),
        Precondition::Failed => return Err(precondition_failed().into()),
    };
    let validators = [
        (header::ETAG, Some(etag)),
        (header::LAST_MODIFIED, http_date(meta.last_updated)),
    ];
    for (name, value) in validators {
        if let Some(value) = value {
            let value = HeaderValue::try_from(value).map_err(Problem::internal)?;
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// 304, with the `Cache-Control` of the 200 response that it replaces (RFC 9110, 15.4.5).
fn not_modified() -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (StatusCode::NOT_MODIFIED, headers).into_response()
}

fn precondition_failed() -> OperationOutcome {
    let why = "the current version is not the one that If-Match or If-Unmodified-Since requires";
    OperationOutcome::new(
        Status::PreconditionFailed,
        Issue::new(IssueCode::Conflict, why),
    )
}

#[cfg(test)]
mod tests {
    use access::NotPhi;
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    /// The status, headers and body length of the response to a request with these headers.
    async fn response_to(
        headers: &[(header::HeaderName, &'static str)],
    ) -> (StatusCode, HeaderMap, usize) {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        let meta = VersionMeta {
            version: 3,
            last_updated: datetime!(2026-11-23 15:02:07.9 UTC),
        };
        let document = fhir::SensitiveJson::new(json!({"resourceType": "Patient"}));
        let body = ResponseBody::small(document.to_bytes());
        let document = NotPhi::assert(body, "a resource without content").into();
        let response = respond(&headers, meta, document)
            .unwrap_or_else(axum::response::IntoResponse::into_response);
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 16).await.expect("a body");
        (head.status, head.headers, body.len())
    }

    #[tokio::test]
    async fn a_version_that_the_client_has_is_not_sent_again() {
        let date = "Mon, 23 Nov 2026 15:02:07 GMT";
        for condition in [
            (header::IF_NONE_MATCH, "\"1\", W/\"3\""),
            (header::IF_NONE_MATCH, "*"),
            (header::IF_MODIFIED_SINCE, date),
        ] {
            let (status, headers, length) = response_to(&[condition]).await;
            assert_eq!((status, length), (StatusCode::NOT_MODIFIED, 0));
            assert_eq!(headers[header::ETAG], "W/\"3\"");
            assert_eq!(headers[header::LAST_MODIFIED], date);
            assert_eq!(headers[header::CACHE_CONTROL], "no-store");
            assert!(!headers.contains_key(header::CONTENT_TYPE));
        }
        let (status, headers, length) = response_to(&[(header::IF_NONE_MATCH, "3")]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[header::LAST_MODIFIED], date);
        assert!(length > 0);
        let (status, headers, _) = response_to(&[(header::IF_MATCH, "W/\"2\"")]).await;
        assert_eq!(status, StatusCode::PRECONDITION_FAILED);
        assert_eq!(headers[header::CONTENT_TYPE], "application/fhir+json");
        let (status, _, _) = response_to(&[(header::IF_MATCH, "W/\"3\"")]).await;
        assert_eq!(status, StatusCode::OK);
    }
}
