//! The OAuth 2.0 authorization server of machine clients: SMART Backend Services (SMART App Launch 2.2), with client
//! credentials (RFC 6749, 4.4) and signed assertions (RFC 7523).

pub(crate) mod discovery;
pub(crate) mod token;

use crate::http::state::AppState;

/// The path of the token endpoint.
const TOKEN_PATH: &str = "/oauth/token";

/// The address of the token endpoint, which is the audience of assertions.
fn token_endpoint(app: &AppState) -> String {
    format!("{}{TOKEN_PATH}", app.public_origin)
}
