//! The audit trail as the API shows it to a privacy officer.

use serde_json::Value;
use uuid::Uuid;

use crate::client::Client;

/// The latest events of the officer's organization, newest first.
///
/// # Errors
/// When the status is not 200.
pub async fn latest_events(officer: &Client) -> anyhow::Result<Vec<Value>> {
    let body = officer
        .get("/api/v1/audit/events")
        .await?
        .expect_status(200)?
        .json()?;
    Ok(body["events"].as_array().cloned().unwrap_or_default())
}

/// The event of the request with this id (`x-request-id`).
#[must_use]
pub fn event_of_request<'a>(events: &'a [Value], request: &str) -> Option<&'a Value> {
    events.iter().find(|event| event["request"] == request)
}

/// The event of the request with this id that has this outcome.
#[must_use]
pub fn event_with_outcome<'a>(
    events: &'a [Value],
    request: &str,
    outcome: &str,
) -> Option<&'a Value> {
    let mut of_request = events.iter().filter(|event| event["request"] == request);
    of_request.find(|event| event["outcome"] == outcome)
}

/// Whether an event names a record.
#[must_use]
pub fn names_record(event: &Value, kind: &str, id: Uuid) -> bool {
    let records = event["records"].as_array();
    records.is_some_and(|records| {
        records
            .iter()
            .any(|record| record["kind"] == kind && record["id"] == id.to_string())
    })
}
