//! `GET /fhir/metadata`.

use std::sync::OnceLock;

use access::NotPhi;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use zeroize::Zeroizing;

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
    ResponseForm::parse(ResourceType::Patient, query.as_deref().unwrap_or_default())?;
    let body = ResponseBody::small(Zeroizing::new(statement(&app)));
    Ok(json_response(
        NotPhi::assert(body, "the capability statement has no data of records").into(),
    ))
}

/// The encoded statement, which is made once: it does not change while the process runs.
fn statement(app: &AppState) -> Vec<u8> {
    static STATEMENT: OnceLock<(String, Vec<u8>)> = OnceLock::new();
    let origin = &app.public_origin;
    let make = || {
        let version = env!("CARGO_PKG_VERSION");
        let statement = capability::statement(origin, version, app.clock.now());
        SensitiveJson::new(statement).to_bytes().to_vec()
    };
    let (made_for, encoded) = STATEMENT.get_or_init(|| (origin.clone(), make()));
    if made_for == origin {
        encoded.clone()
    } else {
        make()
    }
}
