//! `GET /fhir/metadata`.

use std::sync::OnceLock;

use access::NotPhi;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use time::OffsetDateTime;

use super::FhirError;
use super::json_response;
use super::request;
use super::request::FormatQuery;
use crate::http::body::ResponseBody;
use crate::http::openapi::FhirResource;
use crate::http::openapi::Outcome;
use crate::http::state::AppState;
use fhir::SensitiveJson;
use fhir::capability;

/// The `CapabilityStatement`: open, because it holds no data of any person.
///
/// # Errors
///
/// The query string holds what no URL may hold.
#[utoipa::path(
    get,
    path = "/fhir/metadata",
    params(FormatQuery),
    responses((status = 200, response = FhirResource), (status = "default", response = Outcome))
)]
pub(crate) async fn metadata(
    State(app): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response, FhirError> {
    /// What can be done does not change while the process lives.
    static SINCE: OnceLock<OffsetDateTime> = OnceLock::new();
    request::screen_query(query.as_deref())?;
    let since = *SINCE.get_or_init(|| app.clock.now());
    let version = env!("CARGO_PKG_VERSION");
    let statement = capability::statement(&app.public_origin, version, since);
    let body = ResponseBody::small(SensitiveJson::new(statement).to_bytes());
    Ok(json_response(
        NotPhi::assert(body, "the capability statement").into(),
    ))
}
