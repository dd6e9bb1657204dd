//! `GET /fhir/metadata`.

use std::sync::OnceLock;

use access::NotPhi;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;

use super::FhirError;
use super::parameters::FormatQuery;
use super::parameters::SubsetQuery;
use super::request;
use crate::http::fixed_document::FixedDocument;
use crate::http::fixed_document::Freshness;
use crate::http::openapi::FhirResource;
use crate::http::openapi::OutcomeResponse;
use crate::http::state::AppState;
use fhir::FHIR_JSON;
use fhir::ResourceType;
use fhir::ResponseForm;
use fhir::capability;
use fhir::capability::Feature;

/// The `CapabilityStatement`. It requires no authentication, because it contains no PHI.
///
/// # Errors
///
/// The query string has an unsupported parameter, or the client does not accept JSON.
#[utoipa::path(
    get,
    path = "/fhir/metadata",
    operation_id = "fhir.metadata",
    params(FormatQuery, SubsetQuery),
    responses(
        (status = 200, response = FhirResource),
        (status = 304, description = "The client has the current statement"),
        (status = "default", response = OutcomeResponse)
    )
)]
pub(crate) async fn metadata(
    State(app): State<AppState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FhirError> {
    /// The statement, whose address and date do not change while the process runs.
    static STATEMENT: OnceLock<FixedDocument> = OnceLock::new();
    request::require_json_accepted(&headers)?;
    ResponseForm::parse(ResourceType::Patient, query.as_deref().unwrap_or_default())?;
    let statement = STATEMENT.get_or_init(|| {
        let version = env!("CARGO_PKG_VERSION");
        let features: &[Feature] = match app.exports {
            Some(_) => &[Feature::BulkExport],
            None => &[],
        };
        let (origin, started) = (&app.public_origin, app.clock.now());
        let statement = capability::statement(origin, version, started, features);
        let content = Bytes::from(statement.to_string());
        let content = NotPhi::assert(content, "the capability statement has no data of records");
        FixedDocument::new(FHIR_JSON, content)
    });
    Ok(statement.response(&headers, Freshness::Revalidated))
}
