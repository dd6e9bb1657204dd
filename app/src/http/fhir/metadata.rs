//! `GET /fhir/metadata`.

use std::sync::OnceLock;

use access::NotPhi;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use time::OffsetDateTime;

use super::FhirError;
use super::json_response;
use super::parameters::FormatQuery;
use crate::http::body::ResponseBody;
use crate::http::openapi::FhirResource;
use crate::http::openapi::OutcomeResponse;
use crate::http::state::AppState;
use fhir::ResourceType;
use fhir::ResponseForm;
use fhir::SensitiveJson;
use fhir::capability;

/// The `CapabilityStatement`. It requires no authentication, because it contains no PHI.
///
/// # Errors
///
/// The query string has an unsupported parameter.
#[utoipa::path(
    get,
    path = "/fhir/metadata",
    params(FormatQuery),
    responses((status = 200, response = FhirResource), (status = "default", response = OutcomeResponse))
)]
pub(crate) async fn metadata(
    State(app): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response, FhirError> {
    /// The date of the statement: it does not change while the process runs.
    static SINCE: OnceLock<OffsetDateTime> = OnceLock::new();
    ResponseForm::parse(ResourceType::Patient, query.as_deref().unwrap_or_default())?;
    let since = *SINCE.get_or_init(|| app.clock.now());
    let version = env!("CARGO_PKG_VERSION");
    let statement = capability::statement(&app.public_origin, version, since);
    let body = ResponseBody::small(SensitiveJson::new(statement).to_bytes());
    Ok(json_response(
        NotPhi::assert(body, "the capability statement has no data of records").into(),
    ))
}
