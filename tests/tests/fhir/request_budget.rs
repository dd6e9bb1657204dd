//! The budget of a request: what the searches and conditions of one Bundle may cost together.

use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::fhir;

use super::api::clinician;
use super::api::created;
use super::api::response;
use super::api::search;
use super::api::statuses;
use super::api::unique_word;

/// The number of searches that open more than one request may: 128 MiB.
const SEARCHES: usize = 160;

/// A patient of about 1 MB with an identifier for each search, under a system of its own.
async fn large_patient(client: &Client) -> anyhow::Result<(Value, String)> {
    let mut patient = fhir::large_patient();
    let system = format!("http://example.org/{}", unique_word());
    let identifiers = (0..SEARCHES).map(|it| json!({"system": system, "value": it.to_string()}));
    patient["identifier"] = identifiers.collect();
    Ok((created(client, &patient).await?, system))
}

fn entry(method: &str, url: &str) -> Value {
    json!({"request": {"method": method, "url": url}})
}

fn bundle(kind: &str, entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

/// Requires that entries succeeded until the budget was used up, and that all after those are too costly; returns the number
/// of the former.
fn expect_used_up(bundle: &Value, statuses: &[String]) -> usize {
    let succeeded = statuses.iter().take_while(|it| *it != "429").count();
    assert!(succeeded > 10, "{succeeded} entries: {statuses:?}");
    assert!(succeeded < statuses.len(), "none is refused");
    for (index, status) in statuses.iter().enumerate() {
        let expected = if index < succeeded { "200" } else { "429" };
        assert_eq!(status, expected, "{index}: {}", response(bundle, index));
    }
    let outcome = &response(bundle, succeeded)["outcome"];
    assert_eq!(outcome["issue"][0]["code"], "too-costly", "{outcome}");
    succeeded
}

#[tokio::test]
async fn the_searches_of_a_bundle_share_one_budget() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let (patient, _) = large_patient(&client).await?;
    let one = format!("Patient?_id={}&_elements=gender", fhir::id(&patient));
    let small = fhir::patient();
    let mut entries: Vec<_> = (0..SEARCHES).map(|_| entry("GET", &one)).collect();
    entries.push(json!({
        "request": {"method": "PUT", "url": fhir::reference(&small)}, "resource": small
    }));
    let done = client.bundle(&bundle("batch", &entries)).await?;
    let done = done.expect_status(200)?.json()?;
    let mut statuses = statuses(&done);
    assert_eq!(statuses.pop().as_deref(), Some("201"));
    expect_used_up(&done, &statuses);
    client.read("Patient", fhir::id(&small)).await?;
    // The next request has a budget of its own.
    let fields = [("_id", &*fhir::id(&patient).to_string())];
    search(&client, "Patient", &fields)
        .await?
        .expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn the_conditions_of_a_bundle_share_the_budget() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let (_, system) = large_patient(&client).await?;
    let create = |value: usize| {
        let condition = format!("identifier={system}|{value}");
        json!({
            "request": {"method": "POST", "url": "Patient", "ifNoneExist": condition},
            "resource": fhir::patient()
        })
    };
    let mut entries: Vec<_> = (0..SEARCHES).map(create).collect();
    let small = fhir::patient();
    entries.push(json!({
        "request": {"method": "PUT", "url": fhir::reference(&small)}, "resource": small
    }));
    let done = client.bundle(&bundle("batch", &entries)).await?;
    let done = done.expect_status(200)?.json()?;
    let mut of_batch = statuses(&done);
    assert_eq!(of_batch.pop().as_deref(), Some("201"));
    expect_used_up(&done, &of_batch);
    // Of a transaction nothing is written.
    let other = fhir::patient();
    if let Some(last) = entries.last_mut() {
        *last = json!({
            "request": {"method": "PUT", "url": fhir::reference(&other)}, "resource": other
        });
    }
    let refused = client.bundle(&bundle("transaction", &entries)).await?;
    let refused = refused.expect_status(429)?;
    assert_eq!(refused.issues()?[0]["code"], "too-costly");
    let path = format!("/fhir/{}", fhir::reference(&other));
    client.get(&path).await?.expect_status(404)?;
    Ok(())
}
