//! Sends one group: again while the stack is unavailable, and in other ways when it is refused, so that only the entries
//! at fault are left out.
//!
//! A group of `n` entries takes at most `2n` requests, and two if the stack handles batches:
//!
//! 1. one transaction;
//! 2. if that is refused, one batch, in which each entry has a response of its own;
//! 3. if even the batch is refused as a whole (too large, or a failure of the stack), its halves as batches, until an
//!    entry is alone. Halves of halves are `2n - 1` batches.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use https_client::Credentials;
use https_client::HttpsClient;
use https_client::InvalidCredentials;
use https_client::issue_token;
use tokio::sync::Mutex;

use super::outcome::Outcome;
use super::prepare::Prepared;
use super::response::batch_results;
use super::response::is_transient;
use super::response::reason;
use super::response::retry_after;

/// Time that the stack may be unavailable before the import ends; a later run resumes.
const OUTAGE_LIMIT: Duration = Duration::from_mins(5);
/// Pause before the first retry; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Upper bound of the pause between retries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// What the end of an import says about the next one.
const RESUME: &str = "Acknowledged groups are in the journal; run the same command again to resume";

/// Sends groups with the token of one account.
#[derive(Debug)]
pub(super) struct Sender {
    client: HttpsClient,
    credentials: Credentials,
    token: Mutex<Option<String>>,
}

/// Shows a remark on the progress bar.
pub(super) type Say<'a> = dyn Fn(&str) + Sync + 'a;

/// `Bundle.type` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BundleType {
    Transaction,
    Batch,
}

/// The pauses of one outage.
struct Outage {
    begun: Instant,
    pause: Duration,
}

impl Outage {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            pause: FIRST_PAUSE,
        }
    }

    fn is_over_limit(&self) -> bool {
        self.begun.elapsed() > OUTAGE_LIMIT
    }

    async fn wait(&mut self, wanted: Option<Duration>, say: &Say<'_>) {
        say("(waiting for the stack)");
        tokio::time::sleep(wanted.unwrap_or(self.pause)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        say("");
    }
}

impl Sender {
    pub(super) fn new(client: HttpsClient, credentials: Credentials) -> Self {
        Self {
            client,
            credentials,
            token: Mutex::new(None),
        }
    }

    /// Sends a group, and adds what became of each entry to the outcome.
    ///
    /// # Errors
    /// When the account may not write at all, or the stack is unavailable for too long.
    pub(super) async fn send(
        &self,
        entries: &[Prepared],
        outcome: &mut Outcome,
        say: &Say<'_>,
    ) -> anyhow::Result<()> {
        let entries: Vec<&Prepared> = entries.iter().collect();
        let response = self.request(BundleType::Transaction, &entries, say).await?;
        let status = response.status();
        match entries.as_slice() {
            entries if status.is_success() => {
                for entry in entries {
                    outcome.accept(entry);
                }
                Ok(())
            }
            _ if status == StatusCode::UNAUTHORIZED => Err(ended(&response)),
            // Whether a 403 is about the entry or the account, the response to a batch says.
            [entry] if status != StatusCode::FORBIDDEN => {
                outcome.refuse(entry, status.as_u16(), reason(&response));
                Ok(())
            }
            entries => self.send_in_batches(entries, outcome, say).await,
        }
    }

    async fn send_in_batches(
        &self,
        entries: &[&Prepared],
        outcome: &mut Outcome,
        say: &Say<'_>,
    ) -> anyhow::Result<()> {
        let mut rest = vec![entries];
        while let Some(entries) = rest.pop() {
            let response = self.request(BundleType::Batch, entries, say).await?;
            match (response.status(), entries) {
                (status, entries) if status.is_success() => {
                    let unsent = settle(entries, &response, outcome)?;
                    self.send_again(unsent, outcome, say).await?;
                }
                (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
                    return Err(ended(&response));
                }
                (status, [entry]) => outcome.refuse(entry, status.as_u16(), reason(&response)),
                (_, entries) => {
                    let (first, second) = entries.split_at(entries.len() / 2);
                    rest.extend([second, first]);
                }
            }
        }
        Ok(())
    }

    /// Sends the entries of a batch for which the stack was unavailable, until it is not.
    async fn send_again(
        &self,
        mut unsent: Vec<&Prepared>,
        outcome: &mut Outcome,
        say: &Say<'_>,
    ) -> anyhow::Result<()> {
        let mut outage = Outage::new();
        while !unsent.is_empty() {
            if outage.is_over_limit() {
                bail!("the stack was unavailable for five minutes. {RESUME}");
            }
            outage.wait(None, say).await;
            let before = unsent.len();
            let response = self.request(BundleType::Batch, &unsent, say).await?;
            let status = response.status();
            if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                return Err(ended(&response));
            }
            if !status.is_success() {
                for entry in unsent.drain(..) {
                    outcome.refuse(entry, status.as_u16(), reason(&response));
                }
                continue;
            }
            unsent = settle(&unsent, &response, outcome)?;
            if unsent.len() < before {
                outage = Outage::new();
            }
        }
        Ok(())
    }

    /// The stack's response to a Bundle, once it is available.
    async fn request(
        &self,
        bundle_type: BundleType,
        entries: &[&Prepared],
        say: &Say<'_>,
    ) -> anyhow::Result<Response<Bytes>> {
        let body = bundle(bundle_type, entries);
        let mut outage = Outage::new();
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
            if outage.is_over_limit() {
                let unavailable = format!("the stack was unavailable for five minutes. {RESUME}");
                let response = attempt.with_context(|| unavailable.clone())?;
                bail!("{unavailable}: {}", reason(&response));
            }
            outage.wait(wanted, say).await;
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

/// The end of an import that the stack does not permit.
fn ended(response: &Response<Bytes>) -> anyhow::Error {
    anyhow::anyhow!(
        "the account may not import: the stack responded {}: {}. {RESUME}",
        response.status(),
        reason(response)
    )
}

/// Adds the responses to a batch to the outcome; returns the entries for which the stack was unavailable.
fn settle<'e>(
    entries: &[&'e Prepared],
    response: &Response<Bytes>,
    outcome: &mut Outcome,
) -> anyhow::Result<Vec<&'e Prepared>> {
    let results = batch_results(response.body(), entries.len())?;
    let mut unsent = Vec::new();
    for (entry, result) in entries.iter().zip(results) {
        if result.status.is_success() {
            outcome.accept(entry);
        } else if is_transient(result.status) {
            unsent.push(*entry);
        } else {
            outcome.refuse(entry, result.status.as_u16(), result.reason);
        }
    }
    Ok(unsent)
}

fn bundle(bundle_type: BundleType, entries: &[&Prepared]) -> Bytes {
    let entries: Vec<&str> = entries.iter().map(|entry| entry.json.as_str()).collect();
    let name = match bundle_type {
        BundleType::Transaction => "transaction",
        BundleType::Batch => "batch",
    };
    let head = format!("{{\"resourceType\":\"Bundle\",\"type\":\"{name}\",\"entry\":[");
    Bytes::from(format!("{head}{}]}}", entries.join(",")))
}
