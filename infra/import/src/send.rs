//! Sends one group: again while the stack is unavailable, and in halves when it is refused, so that only the entries at
//! fault are left out.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use https_client::Credentials;
use https_client::HttpsClient;
use https_client::InvalidCredentials;
use https_client::issue_token;
use serde_json::Value;
use tokio::sync::Mutex;

use super::chunk::Chunk;
use super::outcome::Outcome;
use super::outcome::Refusal;
use super::prepare::Prepared;

/// Time that the stack may be unavailable before the import ends; a later run resumes.
const OUTAGE_LIMIT: Duration = Duration::from_mins(5);
/// Pause before the first retry; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Upper bound of the pause between retries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Sends groups with the token of one account.
#[derive(Debug)]
pub(super) struct Sender {
    client: HttpsClient,
    credentials: Credentials,
    token: Mutex<Option<String>>,
}

impl Sender {
    pub(super) fn new(client: HttpsClient, credentials: Credentials) -> Self {
        Self {
            client,
            credentials,
            token: Mutex::new(None),
        }
    }

    /// Sends a group as a transaction. A refused one is halved until each entry at fault is alone.
    pub(super) async fn send(&self, chunk: Chunk, say: &Say<'_>) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome::none(&chunk);
        let mut rest: Vec<&[Prepared]> = vec![&chunk.entries];
        while let Some(entries) = rest.pop() {
            let response = self.transact(entries, say).await?;
            let status = response.status();
            match (status, entries) {
                (status, entries) if status.is_success() => outcome.accept(entries),
                (status, [entry]) if is_refusal(status) => outcome.refusals.push(Refusal {
                    place: entry.place,
                    kind: entry.kind,
                    reason: reason(&response),
                }),
                (status, entries) if is_refusal(status) => {
                    let (first, second) = entries.split_at(entries.len() / 2);
                    rest.extend([second, first]);
                }
                (status, _) => bail!(
                    "the stack responded {status}: {}. Acknowledged groups are in the journal; run the \
                     same command again to resume.",
                    reason(&response)
                ),
            }
        }
        Ok(outcome)
    }

    async fn transact(
        &self,
        entries: &[Prepared],
        say: &Say<'_>,
    ) -> anyhow::Result<Response<Bytes>> {
        let body = transaction(entries);
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut renewed = false;
        loop {
            let attempt = self.attempt(body.clone(), renewed).await;
            let wanted = match &attempt {
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED && !renewed => {
                    renewed = true;
                    continue;
                }
                Ok(response) if !is_transient(response.status()) => return attempt,
                Ok(response) => retry_after(response.headers()),
                Err(error) if error.is::<InvalidCredentials>() => return attempt,
                Err(_) => None,
            };
            if begun.elapsed() > OUTAGE_LIMIT {
                return attempt.context(
                    "the stack was unavailable for five minutes. Acknowledged groups are in the journal; run the same \
                     command again to resume",
                );
            }
            say("(waiting for the stack)");
            tokio::time::sleep(wanted.unwrap_or(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            say("");
        }
    }

    async fn attempt(&self, body: Bytes, renewed: bool) -> anyhow::Result<Response<Bytes>> {
        let token = self.token().await?;
        let request = Request::post("/fhir")
            .header(header::CONTENT_TYPE, "application/fhir+json")
            .header(header::ACCEPT, "application/fhir+json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(body)
            .context("the request cannot be made")?;
        let response = self.client.send(request).await?;
        if response.status() == StatusCode::UNAUTHORIZED && !renewed {
            // Another request may have renewed it meanwhile.
            let mut slot = self.token.lock().await;
            *slot = slot.take().filter(|current| *current != token);
        }
        Ok(response)
    }

    async fn token(&self) -> anyhow::Result<String> {
        let mut slot = self.token.lock().await;
        if let Some(token) = slot.as_ref() {
            return Ok(token.clone());
        }
        let token = issue_token(&self.client, &self.credentials).await?;
        *slot = Some(token.clone());
        Ok(token)
    }
}

/// Shows a remark on the progress bar.
pub(super) type Say<'a> = dyn Fn(&str) + Sync + 'a;

fn transaction(entries: &[Prepared]) -> Bytes {
    let entries: Vec<&str> = entries.iter().map(|entry| entry.json.as_str()).collect();
    let head = "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[";
    Bytes::from(format!("{head}{}]}}", entries.join(",")))
}

/// Whether the stack or one of its dependencies is unavailable.
fn is_transient(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
    )
}

/// Whether the request itself is at fault.
fn is_refusal(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::GONE
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY
    )
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.min(60)))
}

/// The issues of an `OperationOutcome`, or the body as it is.
fn reason(response: &Response<Bytes>) -> String {
    let outcome: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let Some(issues) = outcome.get("issue").and_then(Value::as_array) else {
        return format!(
            "{} {}",
            response.status(),
            String::from_utf8_lossy(response.body())
        );
    };
    let words = |issue: &Value| {
        let text = |path: &str| {
            issue
                .pointer(path)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let what = text("/diagnostics").or_else(|| text("/details/text"));
        let code = text("/code").unwrap_or_default();
        // The entry was alone in its Bundle; the report has its position in the file.
        let place = text("/expression/0").map(|place| place.replace("Bundle.entry[0]", "entry"));
        let place = place.map_or_else(String::new, |place| format!(" ({place})"));
        format!("{}{place}", what.unwrap_or(code))
    };
    issues.iter().map(words).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refusal_has_its_expression() {
        let body = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error",
            "code":"invalid","diagnostics":"not a date","expression":["Patient.birthDate"]}]}"#;
        let response = Response::builder()
            .status(422)
            .body(Bytes::from(body))
            .unwrap();
        assert_eq!(reason(&response), "not a date (Patient.birthDate)");
    }

    #[test]
    fn retry_after_is_followed_up_to_a_minute() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, "7".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
        headers.insert(header::RETRY_AFTER, "86400".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_mins(1)));
    }
}
