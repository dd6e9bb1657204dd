//! Conditional writes that compete: of those with one condition, one creates the resource, and all the others find it.

use std::time::Duration;

use futures::future::try_join_all;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::fhir;

use super::api::clinician;
use super::api::entries;
use super::api::practitioner;
use super::api::response;
use super::api::searchset;
use super::api::statuses;
use super::api::store;
use super::api::unique_word;

const SYSTEM: &str = "http://example.org/races";
/// The number of requests at once.
const PARALLEL: usize = 8;

/// A resource without an id, with this identifier as its last one.
fn identified(mut resource: Value, value: &str) -> Value {
    if let Some(object) = resource.as_object_mut() {
        object.remove("id");
    }
    let mut identifiers = entries(&json!({"entry": resource["identifier"]}));
    identifiers.push(json!({"system": SYSTEM, "value": value}));
    resource["identifier"] = json!(identifiers);
    resource
}

/// An entry that creates a resource if there is none with the identifier; `chart` is the rest of the condition.
fn create(resource: &Value, value: &str, chart: &str) -> Value {
    let condition = format!("identifier={SYSTEM}|{value}{chart}");
    let request =
        json!({"method": "POST", "url": resource["resourceType"], "ifNoneExist": condition});
    json!({"resource": resource, "request": request})
}

/// An entry that updates the resource with the identifier, or creates it.
fn update(resource: &Value, value: &str, chart: &str) -> Value {
    let kind = resource["resourceType"].as_str().unwrap_or_default();
    let url = format!("{kind}?identifier={SYSTEM}|{value}{chart}");
    json!({"resource": resource, "request": {"method": "PUT", "url": url}})
}

fn bundle(kind: &str, entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

/// The reference of the resource that an entry wrote or found.
fn located(bundle: &Value, entry: usize) -> String {
    let location = response(bundle, entry)["location"].as_str();
    let (resource, _) = location
        .and_then(|it| it.split_once("/_history/"))
        .unwrap_or_default();
    resource.to_owned()
}

/// Sends a Bundle, again if the web tier sheds it: that says nothing of conditions.
async fn execute(client: &Client, bundle: &Value) -> anyhow::Result<Value> {
    for _ in 0..100 {
        let done = client.bundle(bundle).await?;
        if done.status == 503 && done.text().contains("overloaded") {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        return done.expect_status(200)?.json();
    }
    anyhow::bail!("the stack is overloaded")
}

/// Sends a Bundle several times at once.
async fn race(client: &Client, bundle: &Value) -> anyhow::Result<Vec<Value>> {
    try_join_all((0..PARALLEL).map(|_| execute(client, bundle))).await
}

/// Requires that one of the responses to each entry created the resource, and that all name it.
fn expect_one_creation(done: &[Value], count: usize, what: &str) {
    for entry in 0..count {
        let all: Vec<_> = done.iter().map(|it| statuses(it)[entry].clone()).collect();
        let created = all.iter().filter(|status| *status == "201").count();
        let found = all.iter().filter(|status| *status == "200").count();
        let sum = (created, found);
        assert_eq!(sum, (1, done.len() - 1), "{what}, entry {entry}: {all:?}");
        let first = located(&done[0], entry);
        assert!(!first.is_empty(), "{what}: {}", done[0]);
        for other in done {
            assert_eq!(located(other, entry), first, "{what}, entry {entry}");
        }
    }
}

#[tokio::test]
async fn one_of_several_conditional_creates_at_once_creates_the_resource() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let owner = fhir::patient();
    store(&client, &[&owner]).await?;
    let chart = format!("&patient={}", fhir::id(&owner));
    let organization = json!({"resourceType": "Organization", "name": "Probe"});
    let kinds: [(&dyn Fn() -> Value, &str); 4] = [
        // With a record number, which no second patient could have.
        (&fhir::patient, ""),
        (&practitioner, ""),
        (&|| organization.clone(), ""),
        (&|| fhir::observation(&owner), &chart),
    ];
    for (make, chart) in kinds {
        for write in [create, update] {
            for kind in ["transaction", "batch"] {
                let value = unique_word();
                let resource = identified(make(), &value);
                let sent = bundle(kind, &[write(&resource, &value, chart)]);
                let done = race(&client, &sent).await?;
                let name = resource["resourceType"].as_str().unwrap_or_default();
                expect_one_creation(&done, 1, &format!("{kind} of {name}"));
                let token = format!("{SYSTEM}|{value}");
                let patient = fhir::id(&owner).to_string();
                let mut form = vec![("identifier", token.as_str())];
                if !chart.is_empty() {
                    form.push(("patient", &patient));
                }
                let found = searchset(&client, name, &form).await?;
                assert_eq!(found["total"], 1, "{kind} of {name}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn transactions_at_once_create_a_patient_and_its_chart_once() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let value = unique_word();
    let mut patient = create(&identified(fhir::patient(), &value), &value, "");
    patient["fullUrl"] = json!("urn:uuid:11111111-ec9a-4326-a141-556f43239520");
    let mut observation = identified(fhir::observation(&fhir::patient()), &value);
    observation["subject"]["reference"] = patient["fullUrl"].clone();
    let entries = [patient, create(&observation, &value, "")];
    let done = race(&client, &bundle("transaction", &entries)).await?;
    expect_one_creation(&done, 2, "patient and observation");
    Ok(())
}

#[tokio::test]
async fn batches_of_several_transactions_at_once_create_each_resource_once() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    // More than are tried in one transaction of the database.
    let owner = fhir::patient();
    store(&client, &[&owner]).await?;
    let values: Vec<_> = (0..230).map(|_| unique_word()).collect();
    let entries: Vec<_> = values
        .iter()
        .map(|value| create(&identified(fhir::observation(&owner), value), value, ""))
        .collect();
    let sent = bundle("batch", &entries);
    let done = try_join_all((0..2).map(|_| execute(&client, &sent))).await?;
    expect_one_creation(&done, values.len(), "batch");
    Ok(())
}

#[tokio::test]
async fn conditional_creates_of_different_identifiers_do_not_disturb_each_other()
-> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let owner = fhir::patient();
    store(&client, &[&owner]).await?;
    let kinds: [&dyn Fn() -> Value; 2] = [&fhir::patient, &|| fhir::observation(&owner)];
    for make in kinds {
        let sent = (0..2 * PARALLEL).map(async |_| {
            let value = unique_word();
            let entry = create(&identified(make(), &value), &value, "");
            let done = execute(&client, &bundle("transaction", &[entry])).await?;
            anyhow::Ok(statuses(&done))
        });
        for statuses in try_join_all(sent).await? {
            assert_eq!(statuses, ["201"]);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_condition_takes_no_notice_of_other_entries_of_its_bundle() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let value = unique_word();
    let resource = identified(practitioner(), &value);
    let plain = json!({
        "resource": resource,
        "request": {"method": "POST", "url": "Practitioner"}
    });
    // The read separates the two writes of the batch.
    let read = json!({"request": {"method": "GET", "url": "Practitioner?identifier=none"}});
    let entries = [plain, read, create(&resource, &value, "")];
    let done = execute(&client, &bundle("batch", &entries)).await?;
    assert_eq!(statuses(&done), ["201", "200", "201"]);
    Ok(())
}
