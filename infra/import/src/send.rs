//! Sending one group: retried while the stack is away, split when it is refused, so that only what
//! is really wrong stays out.

use std::collections::BTreeMap;
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
use super::prepare::Prepared;
use super::report::Refusal;

/// So long a stack may be away before the import gives up; it resumes where it was.
const ENDURANCE: Duration = Duration::from_mins(5);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What became of a group.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) chunk: u32,
    pub(super) entries: u64,
    pub(super) accepted: BTreeMap<&'static str, u64>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) already: bool,
}

impl Outcome {
    /// A group that an earlier run has sent.
    pub(super) fn already(chunk: &Chunk) -> Self {
        let mut outcome = Self::none(chunk);
        outcome.already = true;
        outcome.accept(&chunk.entries);
        outcome
    }

    fn none(chunk: &Chunk) -> Self {
        Self {
            chunk: chunk.number,
            entries: u64::try_from(chunk.entries.len()).unwrap_or(u64::MAX),
            accepted: BTreeMap::new(),
            refusals: Vec::new(),
            already: false,
        }
    }

    fn accept(&mut self, entries: &[Prepared]) {
        for entry in entries {
            *self.accepted.entry(entry.kind).or_default() += 1;
        }
    }
}

/// Sends groups as one person.
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

    /// Sends a group as a transaction. One that is refused is halved until the entries that are at
    /// fault stand alone.
    pub(super) async fn send(&self, chunk: Chunk, say: &Say<'_>) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome::none(&chunk);
        let mut rest: Vec<&[Prepared]> = vec![&chunk.entries];
        while let Some(entries) = rest.pop() {
            let answer = self.transact(entries, say).await?;
            let status = answer.status();
            match (status, entries) {
                (status, entries) if status.is_success() => outcome.accept(entries),
                (status, [entry]) if is_refusal(status) => outcome.refusals.push(Refusal {
                    place: entry.place,
                    kind: entry.kind,
                    reason: reason(&answer),
                }),
                (status, entries) if is_refusal(status) => {
                    let (first, second) = entries.split_at(entries.len() / 2);
                    rest.extend([second, first]);
                }
                (status, _) => bail!(
                    "the stack answers {status}: {}. What was acknowledged is recorded; run the \
                     same command again to go on.",
                    reason(&answer)
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
                Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED && !renewed => {
                    renewed = true;
                    continue;
                }
                Ok(answer) if !is_transient(answer.status()) => return attempt,
                Ok(answer) => retry_after(answer.headers()),
                Err(error) if error.is::<InvalidCredentials>() => return attempt,
                Err(_) => None,
            };
            if begun.elapsed() > ENDURANCE {
                return attempt.context(
                    "the stack stayed away. What was acknowledged is recorded; run the same \
                     command again to go on",
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
        let answer = self.client.send(request).await?;
        if answer.status() == StatusCode::UNAUTHORIZED && !renewed {
            // Another request may have renewed it meanwhile.
            let mut slot = self.token.lock().await;
            *slot = slot.take().filter(|current| *current != token);
        }
        Ok(answer)
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

/// Where passing remarks go.
pub(super) type Say<'a> = dyn Fn(&str) + Sync + 'a;

fn transaction(entries: &[Prepared]) -> Bytes {
    let entries: Vec<&str> = entries.iter().map(|entry| entry.json.as_str()).collect();
    let head = "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[";
    Bytes::from(format!("{head}{}]}}", entries.join(",")))
}

/// The stack, or something in it, is away for now.
fn is_transient(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
    )
}

/// The fault is in what was sent.
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
fn reason(answer: &Response<Bytes>) -> String {
    let outcome: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let Some(issues) = outcome.get("issue").and_then(Value::as_array) else {
        return format!(
            "{} {}",
            answer.status(),
            String::from_utf8_lossy(answer.body())
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
        // The entry stood alone in its Bundle; where it stands in the file is said beside this.
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
    fn an_outcome_is_told_with_its_place() {
        let body = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error",
            "code":"invalid","diagnostics":"not a date","expression":["Patient.birthDate"]}]}"#;
        let answer = Response::builder()
            .status(422)
            .body(Bytes::from(body))
            .unwrap();
        assert_eq!(reason(&answer), "not a date (Patient.birthDate)");
    }

    #[test]
    fn a_server_that_says_when_to_come_back_is_heeded_within_reason() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, "7".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
        headers.insert(header::RETRY_AFTER, "86400".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_mins(1)));
    }
}
