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
use crate::TotpKey;
use crate::present_step;

/// The credentials of an account.
#[derive(Clone)]
pub struct Credentials {
    /// E-mail address.
    pub email: String,
    /// Password, in the clear.
    pub password: String,
    /// The key of its authenticator app, if it has one.
    pub totp: Option<TotpKey>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// The stack refuses an account's credentials.
#[derive(Debug)]
pub struct InvalidCredentials(String);

impl fmt::Display for InvalidCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the stack refuses the password or the code of {} in demo.json: its data may have been replaced; \
             `cargo stack reset` makes a new stack",
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
/// A code is accepted once. If another sign-in of the account has used the present one, the next one is sent, which is
/// accepted already; and if that was used too, the one after it when its time has come.
///
/// # Errors
/// [`InvalidCredentials`] when the stack refuses the password or each code; other errors when it cannot be reached or
/// responds with another status.
pub async fn issue_token(
    client: &HttpsClient,
    credentials: &Credentials,
) -> anyhow::Result<String> {
    let Some(totp) = &credentials.totp else {
        let token = try_issue(client, credentials, None).await?;
        return token.ok_or_else(|| InvalidCredentials(credentials.email.clone()).into());
    };
    let (present, until_next) = present_step()?;
    for step in present..=present + 2 {
        if step == present + 2 {
            tokio::time::sleep(until_next).await;
        }
        let code = totp.code(step)?;
        if let Some(token) = try_issue(client, credentials, Some(&code)).await? {
            return Ok(token);
        }
    }
    Err(InvalidCredentials(credentials.email.clone()).into())
}

/// Requests a token; none if the credentials are refused.
async fn try_issue(
    client: &HttpsClient,
    Credentials {
        email, password, ..
    }: &Credentials,
    code: Option<&str>,
) -> anyhow::Result<Option<String>> {
    let body = match code {
        Some(code) => json!({"email": email, "password": password, "code": code}),
        None => json!({"email": email, "password": password}),
    };
    let request = Request::post("/api/v1/tokens")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .context("the token request cannot be built")?;
    let (head, body) = client.send(request).await?.into_parts();
    match head.status {
        StatusCode::CREATED | StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Ok(None),
        other => bail!(
            "the stack issues no token ({other}): {}",
            String::from_utf8_lossy(&body)
        ),
    }
    let issued: Issued =
        serde_json::from_slice(&body).context("the response to the token request is not JSON")?;
    Ok(Some(issued.token))
}
