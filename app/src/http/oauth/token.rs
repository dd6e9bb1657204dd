//! `POST /oauth/token`: tokens of machine clients.

use access::Scopes;
use axum::Form;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::IntoResponse as _;
use axum::response::Response;
use fhir::ResourceType;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::token_endpoint;
use crate::http::authentication::CurrentOrigin;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::CLIENT_TOKEN_LIFETIME;
use crate::services::identity::ClientRequest;
use crate::services::sign_in::ClientTokenError;

/// The only grant: the client acts for itself (RFC 6749, 4.4.2).
const GRANT: &str = "client_credentials";
/// The only kind of assertion (RFC 7523, 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The request for a token. Parameters that are not known are ignored (RFC 6749, 3.2); none may be there twice.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TokenForm {
    /// `client_credentials`
    #[schema(required)]
    grant_type: Option<String>,
    /// SMART scopes, such as `system/*.rs` or `system/Patient.rs system/Observation.rs`
    #[schema(required)]
    scope: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`
    #[schema(required)]
    client_assertion_type: Option<String>,
    /// A JSON Web Token that the client has signed with ES384 or RS384
    #[schema(required)]
    client_assertion: Option<String>,
    /// The client id, which the assertion has, too.
    client_id: Option<String>,
    /// Another way to authenticate, which is refused beside an assertion.
    #[schema(ignore)]
    client_secret: Option<String>,
}

/// A new token, which is returned once only.
#[derive(Serialize, ToSchema)]
struct Issued<'a> {
    access_token: &'a str,
    token_type: &'static str,
    /// The lifetime in seconds.
    expires_in: i64,
    /// The scopes that were granted: those of the request that the client is registered with.
    scope: String,
}

/// An error (RFC 6749, 5.2).
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct OAuthError {
    error: &'static str,
    error_description: &'static str,
}

impl OAuthError {
    const fn invalid_request(error_description: &'static str) -> Self {
        Self {
            error: "invalid_request",
            error_description,
        }
    }

    const UNSUPPORTED_GRANT: Self = Self {
        error: "unsupported_grant_type",
        error_description: "the grant type is client_credentials",
    };

    /// The same for a client that does not exist, a wrong signature and a wrong claim.
    const INVALID_CLIENT: Self = Self {
        error: "invalid_client",
        error_description: "the assertion is signed with ES384 or RS384 by a registered key, which kid names; iss and sub are the \
                            client id; aud is the address of this endpoint; exp is at most five minutes ahead; jti is used once",
    };

    const INVALID_SCOPE: Self = Self {
        error: "invalid_scope",
        error_description: "the client is registered with none of the scopes: ask for read and search, such as system/Patient.rs",
    };

    /// 400, also for an invalid client: 401 would need a challenge for a scheme of HTTP authentication, and there is none.
    fn response(self) -> Response {
        (StatusCode::BAD_REQUEST, NO_STORE, Json(self)).into_response()
    }
}

/// No cache keeps what this endpoint returns (RFC 6749, 5.1).
const NO_STORE: [(header::HeaderName, HeaderValue); 2] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::PRAGMA, HeaderValue::from_static("no-cache")),
];

/// Issues a token to a machine client that authenticates by a signed assertion (SMART Backend Services).
///
/// # Errors
///
/// 400 with an error of RFC 6749; 429 after too many refused assertions from an address.
#[utoipa::path(
    post,
    path = "/oauth/token",
    operation_id = "oauth.token",
    request_body(content = inline(TokenForm), content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token, returned once only; it is valid for five minutes", body = inline(Issued)),
        (status = 400, description = "The request, the client or the scope is refused", body = inline(OAuthError)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn token(
    State(app): State<AppState>,
    CurrentOrigin(origin): CurrentOrigin,
    headers: HeaderMap,
    form: Result<Form<TokenForm>, FormRejection>,
) -> Result<Response, Problem> {
    let form = match form {
        Ok(Form(form)) => form,
        Err(rejection) => return Ok(unreadable(rejection)),
    };
    let request = match request(&headers, form) {
        Ok(request) => request,
        Err(error) => return Ok(error.response()),
    };
    let audience = token_endpoint(&app);
    let issued = app.sign_in.issue_client_token(origin, request, &audience);
    let issued = match issued.await {
        Ok(issued) => issued,
        Err(ClientTokenError::InvalidClient) => return Ok(OAuthError::INVALID_CLIENT.response()),
        Err(ClientTokenError::InvalidScope) => return Ok(OAuthError::INVALID_SCOPE.response()),
        Err(ClientTokenError::Service(error)) => return Err(error.into()),
    };
    let body = Issued {
        access_token: issued.session.token.expose(),
        token_type: "bearer",
        expires_in: CLIENT_TOKEN_LIFETIME.whole_seconds(),
        scope: issued.scopes.to_string(),
    };
    Ok((NO_STORE, Json(body)).into_response())
}

/// The request in a form.
fn request(headers: &HeaderMap, form: TokenForm) -> Result<ClientRequest, OAuthError> {
    if headers.contains_key(header::AUTHORIZATION) || form.client_secret.is_some() {
        let why = "the client authenticates by client_assertion alone";
        return Err(OAuthError::invalid_request(why));
    }
    let grant = form.grant_type;
    let grant = grant.ok_or(OAuthError::invalid_request("grant_type is missing"))?;
    if grant != GRANT {
        return Err(OAuthError::UNSUPPORTED_GRANT);
    }
    if form.client_assertion_type.as_deref() != Some(ASSERTION_TYPE) {
        let why = "client_assertion_type is urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        return Err(OAuthError::invalid_request(why));
    }
    let missing = OAuthError::invalid_request;
    let assertion = form.client_assertion;
    let assertion = assertion.ok_or(missing("client_assertion is missing"))?;
    let scope = form.scope.ok_or(missing("scope is missing"))?;
    Ok(ClientRequest {
        assertion,
        client_id: form.client_id,
        scopes: Scopes::parse(&scope, |name| name.parse::<ResourceType>().is_ok()),
    })
}

/// The response to a body that is no form, is too long, or has a parameter twice.
fn unreadable(rejection: FormRejection) -> Response {
    let response = rejection.into_response();
    let is_form = matches!(
        response.status(),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
    );
    if is_form {
        let why = "the body is a form in which each parameter is there once";
        return OAuthError::invalid_request(why).response();
    }
    response
}
