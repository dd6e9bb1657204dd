//! The responses of the stack: to a Bundle, and to each entry of a batch.

use std::time::Duration;

use anyhow::Context;
use anyhow::ensure;
use bytes::Bytes;
use http::HeaderMap;
use http::Response;
use http::StatusCode;
use http::header;
use serde::Deserialize;
use serde_json::Value;

/// The response to one entry of a batch.
#[derive(Debug)]
pub(super) struct EntryResult {
    pub(super) status: StatusCode,
    pub(super) reason: String,
}

/// The responses to the entries of a batch.
///
/// # Errors
/// When the response is not one to a batch of that many entries.
pub(super) fn batch_results(body: &[u8], entries: usize) -> anyhow::Result<Vec<EntryResult>> {
    #[derive(Deserialize)]
    struct Batch {
        #[serde(default)]
        entry: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        response: EntryResponse,
    }
    #[derive(Deserialize)]
    struct EntryResponse {
        status: String,
        #[serde(default)]
        outcome: Value,
    }
    let batch: Batch = serde_json::from_slice(body)
        .context("the response to a batch is no Bundle of responses")?;
    ensure!(
        batch.entry.len() == entries,
        "the response to a batch of {entries} entries has {}",
        batch.entry.len()
    );
    let result = |entry: Entry| {
        let code = entry.response.status.get(..3).unwrap_or_default();
        let status = code
            .parse()
            .with_context(|| "an entry of the response to a batch has no status")?;
        let reason = issues(&entry.response.outcome).unwrap_or_else(|| "no reason".to_owned());
        Ok(EntryResult { status, reason })
    };
    batch.entry.into_iter().map(result).collect()
}

/// Whether the stack or one of its dependencies is unavailable.
pub(super) fn is_transient(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
    )
}

/// The pause that the stack wishes.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.min(60)))
}

/// The issues of an `OperationOutcome`, or the status and the body as it is.
pub(super) fn reason(response: &Response<Bytes>) -> String {
    let outcome: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    issues(&outcome).unwrap_or_else(|| {
        let name = response.status().canonical_reason().unwrap_or_default();
        let body = String::from_utf8_lossy(response.body());
        // A page of an intermediary says no more in its thousandth letter.
        let body: String = body.trim().chars().take(200).collect();
        format!("{name} {body}").trim().to_owned()
    })
}

/// The issues of an `OperationOutcome`; `None` if this is none.
fn issues(outcome: &Value) -> Option<String> {
    let words = |issue: &Value| {
        let text = |path: &str| {
            issue
                .pointer(path)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let what = text("/diagnostics").or_else(|| text("/details/text"));
        let code = text("/code").unwrap_or_default();
        let place = text("/expression/0").map(|path| in_entry(&path));
        let place = place.map_or_else(String::new, |place| format!(" ({place})"));
        format!("{}{place}", what.unwrap_or(code))
    };
    let issues = outcome.get("issue")?.as_array()?;
    Some(issues.iter().map(words).collect::<Vec<_>>().join("; "))
}

/// A path without the position in the request, which says nothing about the file: the report has that one.
fn in_entry(path: &str) -> String {
    let rest = path
        .strip_prefix("Bundle.entry[")
        .and_then(|rest| rest.split_once(']'));
    rest.map_or_else(|| path.to_owned(), |(_, rest)| format!("entry{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refusal_has_its_expression() {
        let body = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error",
            "code":"invalid","diagnostics":"not a date","expression":["Patient.birthDate"]}]}"#;
        let response = |body: &'static str| {
            let response = Response::builder().status(422);
            response.body(Bytes::from(body)).unwrap()
        };
        assert_eq!(reason(&response(body)), "not a date (Patient.birthDate)");
        assert_eq!(reason(&response("<p>")), "Unprocessable Entity <p>");
        assert_eq!(
            in_entry("Bundle.entry[17].resource.id"),
            "entry.resource.id"
        );
    }

    #[test]
    fn each_entry_of_a_batch_has_its_own_result() {
        let body = br#"{"resourceType":"Bundle","type":"batch-response","entry":[
            {"response":{"status":"201 Created"}},
            {"response":{"status":"422 Unprocessable Entity","outcome":{"resourceType":"OperationOutcome",
                "issue":[{"code":"required","expression":["Bundle.entry[1].resource.status"]}]}}}]}"#;
        let results = batch_results(body, 2).unwrap();
        assert!(results[0].status.is_success());
        assert_eq!(results[1].reason, "required (entry.resource.status)");
        assert!(batch_results(body, 3).is_err());
        assert!(batch_results(b"{", 1).is_err());
        let strange = br#"{"entry":[{"response":{"status":"\u00e9\u00e9"}}]}"#;
        assert!(batch_results(strange, 1).is_err());
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
