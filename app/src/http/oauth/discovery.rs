//! The metadata of the authorization server: for SMART clients below the FHIR base, and by RFC 8414 at the root.

use std::sync::OnceLock;

use access::NotPhi;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use phi::SignatureAlgorithm;
use serde_json::Value;
use serde_json::json;
use utoipa::ToSchema;

use super::token_endpoint;
use crate::http::fixed_document::FixedDocument;
use crate::http::fixed_document::Freshness;
use crate::http::state::AppState;

/// The metadata of the authorization server.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema: the documents are JSON of their own")]
pub(crate) struct Metadata {
    token_endpoint: String,
    grant_types_supported: Vec<String>,
    token_endpoint_auth_methods_supported: Vec<String>,
    token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    scopes_supported: Vec<String>,
}

/// The SMART configuration. It requires no authentication, because it contains no PHI.
#[utoipa::path(
    get,
    path = "/fhir/.well-known/smart-configuration",
    operation_id = "fhir.smart_configuration",
    responses(
        (status = 200, description = "The configuration", body = inline(Metadata), content_type = "application/json"),
        (status = 304, description = "The client has the current configuration"),
    )
)]
pub(crate) async fn smart_configuration(
    State(app): State<AppState>,
    headers: HeaderMap,
) -> Response {
    /// The document, whose addresses do not change while the process runs.
    static DOCUMENT: OnceLock<FixedDocument> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| {
        fixed(&with_all(
            shared(&app),
            json!({
                "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
                // Required of every server, also of one without an authorization endpoint.
                "code_challenge_methods_supported": ["S256"],
            }),
        ))
    });
    document.response(&headers, Freshness::Revalidated)
}

/// The metadata of the authorization server (RFC 8414).
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    operation_id = "oauth.metadata",
    responses(
        (status = 200, description = "The metadata", body = inline(Metadata), content_type = "application/json"),
        (status = 304, description = "The client has the current metadata"),
    )
)]
pub(crate) async fn metadata(State(app): State<AppState>, headers: HeaderMap) -> Response {
    /// The document, whose addresses do not change while the process runs.
    static DOCUMENT: OnceLock<FixedDocument> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| {
        fixed(&with_all(
            shared(&app),
            json!({ "issuer": app.public_origin, "response_types_supported": [] }),
        ))
    });
    document.response(&headers, Freshness::Revalidated)
}

/// What both documents say. Without `registration_endpoint` and `jwks_uri`: clients are registered by an administrator, with
/// their keys, and this server fetches none.
fn shared(app: &AppState) -> Value {
    json!({
        "token_endpoint": token_endpoint(app),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported":
            SignatureAlgorithm::ALL.map(SignatureAlgorithm::name),
        "scopes_supported": ["system/*.rs"],
    })
}

/// An object with the members of another one.
fn with_all(mut document: Value, more: Value) -> Value {
    if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
        document.extend(more);
    }
    document
}

fn fixed(document: &Value) -> FixedDocument {
    let content = Bytes::from(document.to_string());
    let content = NotPhi::assert(content, "addresses and names of algorithms");
    FixedDocument::new("application/json", content)
}
