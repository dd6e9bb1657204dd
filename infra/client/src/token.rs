//! Bearer tokens from `POST /api/v1/tokens`.

use std::fmt;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http::header;
use serde::Deserialize;
use serde_json::json;

use crate::HttpsClient;

/// An account's e-mail address and password.
#[derive(Clone)]
pub struct Credentials {
    /// E-mail address.
    pub email: String,
    /// Password, in the clear.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// The stack refuses an account's password.
#[derive(Debug)]
pub struct InvalidCredentials(String);

impl fmt::Display for InvalidCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the stack refuses the password of {} in demo.json: its data may have been replaced; `cargo stack reset` \
             makes a new stack",
            self.0
        )
    }
}

impl std::error::Error for InvalidCredentials {}

#[derive(Deserialize)]
struct Issued {
    token: String,
}

/// Signs an account in and returns its bearer token, which is valid for an hour.
///
/// # Errors
/// [`InvalidCredentials`] when the stack refuses the password; other errors when it cannot be reached or responds with
/// another status.
pub async fn issue_token(
    client: &HttpsClient,
    credentials: &Credentials,
) -> anyhow::Result<String> {
    let Credentials { email, password } = credentials;
    let body = json!({"email": email, "password": password});
    let request = Request::post("/api/v1/tokens")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .context("the token request cannot be built")?;
    let (head, body) = client.send(request).await?.into_parts();
    match head.status {
        StatusCode::CREATED | StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(InvalidCredentials(email.clone()).into());
        }
        other => bail!(
            "the stack issues no token ({other}): {}",
            String::from_utf8_lossy(&body)
        ),
    }
    let issued: Issued =
        serde_json::from_slice(&body).context("the response to the token request is not JSON")?;
    Ok(issued.token)
}
