//! Bearer tokens of demo accounts, got through the front door like anyone's.

use std::fmt;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http::header;
use serde::Deserialize;
use serde_json::json;

use crate::accounts::Person;
use crate::front_door::FrontDoor;

/// The stack does not accept the person's password.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the stack does not know {} with the password in demo.json: was its data replaced? \
             `cargo stack reset` begins anew",
            self.0
        )
    }
}

impl std::error::Error for Refused {}

#[derive(Deserialize)]
struct Issued {
    token: String,
}

/// Signs a person in and gives their token, good for an hour.
///
/// # Errors
/// When the stack does not answer, or refuses.
pub async fn issue(door: &FrontDoor, person: &Person) -> anyhow::Result<String> {
    let body = json!({"email": person.email, "password": person.password});
    let request = Request::post("/api/v1/tokens")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .context("the request cannot be made")?;
    let (head, body) = door.send(request).await?.into_parts();
    match head.status {
        StatusCode::CREATED | StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(Refused(person.email.clone()).into());
        }
        other => bail!(
            "the stack refuses a token ({other}): {}",
            String::from_utf8_lossy(&body)
        ),
    }
    let issued: Issued =
        serde_json::from_slice(&body).context("the stack's answer cannot be understood")?;
    Ok(issued.token)
}
