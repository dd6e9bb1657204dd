//! The audit trail as a privacy officer reads it.

use serde_json::Value;
use uuid::Uuid;

use crate::client::Client;

/// The latest events of the officer's organization, newest first.
///
/// # Errors
/// When they are not answered with 200.
pub async fn latest(officer: &Client) -> anyhow::Result<Vec<Value>> {
    let body = officer
        .get("/api/v1/audit/events")
        .await?
        .expecting(200)?
        .json()?;
    Ok(body["events"].as_array().cloned().unwrap_or_default())
}

/// The event of one request, which the answer names in `x-request-id`.
#[must_use]
pub fn of_request<'a>(events: &'a [Value], request: &str) -> Option<&'a Value> {
    events.iter().find(|event| event["request"] == request)
}

/// Whether an event names a record.
#[must_use]
pub fn names(event: &Value, kind: &str, id: Uuid) -> bool {
    let records = event["records"].as_array();
    records.is_some_and(|records| {
        records
            .iter()
            .any(|record| record["kind"] == kind && record["id"] == id.to_string())
    })
}
