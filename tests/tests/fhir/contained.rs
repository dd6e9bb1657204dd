//! Contained resources: no resource contains one that some role may not read, although it may read the container.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::fhir;

use super::api::clinician;
use super::api::created;
use super::api::patch;
use super::api::path;
use super::api::put;
use super::api::send;
use super::api::store;

/// A condition, to be contained.
fn condition() -> Value {
    json!({
        "resourceType": "Condition",
        "id": "c",
        "code": {"text": "CANARYCONDITION"},
        "subject": {"reference": "#"}
    })
}

/// The status of a refusal, and the paths of its issues.
fn refusal(response: &tests::TestResponse) -> anyhow::Result<(u16, Vec<String>)> {
    let status = response.status.as_u16();
    let text = response.text();
    anyhow::ensure!(!text.contains("CANARY"), "{text}");
    let outcome = response.json()?;
    let issues = outcome["issue"].as_array().into_iter().flatten();
    let paths = issues.filter_map(|it| it["expression"][0].as_str().map(str::to_owned));
    Ok((status, paths.collect()))
}

/// Sends a resource in every way that stores it, and the path at which each refuses it.
async fn expect_refused(client: &Client, resource: &Value, at: &str) -> anyhow::Result<()> {
    let kind = resource["resourceType"].as_str().unwrap_or_default();
    let expected = |root: &str| (422, vec![format!("{root}.{at}")]);
    let post = send(
        client,
        "POST",
        &format!("/fhir/{kind}"),
        &[],
        Some(resource),
    )
    .await?;
    assert_eq!(refusal(&post)?, expected(kind));
    assert_eq!(refusal(&put(client, resource).await?)?, expected(kind));
    let transaction = client.bundle(&fhir::transaction(&[resource])).await?;
    let in_entry = expected("Bundle.entry[0].resource");
    assert_eq!(refusal(&transaction)?, in_entry);
    let batch = client.bundle(&fhir::batch(&[resource])).await?;
    let batch = batch.expect_status(200)?.json()?;
    let response = &batch["entry"][0]["response"];
    let status = response["status"].as_str().unwrap_or_default();
    assert!(status.starts_with("422"), "{batch}");
    let expression = response["outcome"]["issue"][0]["expression"][0].clone();
    assert_eq!(expression, in_entry.1[0]);
    let validated = send(client, "POST", "/fhir/$validate", &[], Some(resource)).await?;
    let (status, paths) = refusal(&validated)?;
    assert_eq!((status, paths), (200, expected(kind).1));
    client.get(&path(resource)).await?.expect_status(404)?;
    Ok(())
}

#[tokio::test]
async fn a_clinical_resource_is_not_hidden_in_demographics() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let owner = created(&client, &fhir::patient()).await?;
    let owner = fhir::reference(&owner);
    let mut patient = fhir::patient();
    patient["contained"] = json!([
        {"resourceType": "Organization", "id": "o", "name": "Probe"},
        condition()
    ]);
    patient["managingOrganization"] = json!({"reference": "#o"});
    expect_refused(&client, &patient, "contained[1]").await?;
    let related = json!({
        "resourceType": "RelatedPerson",
        "id": fhir::random_id(),
        "patient": {"reference": owner},
        "contained": [condition()]
    });
    expect_refused(&client, &related, "contained[0]").await
}

#[tokio::test]
async fn what_every_reader_may_read_is_contained() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let mut patient = fhir::patient();
    patient["contained"] = json!([{"resourceType": "Organization", "id": "o", "name": "Probe"}]);
    patient["managingOrganization"] = json!({"reference": "#o"});
    store(&client, &[&patient]).await?;
    let mut observation = fhir::observation(&patient);
    observation["contained"] = json!([
        condition(),
        {"resourceType": "Practitioner", "id": "p", "name": [{"text": "Probe"}]}
    ]);
    observation["performer"] = json!([{"reference": "#p"}]);
    store(&client, &[&observation]).await?;
    let read = client.read("Observation", fhir::id(&observation)).await?;
    assert_eq!(read["contained"], observation["contained"]);
    let owner = json!({"reference": fhir::reference(&patient)});
    let coverage = json!({
        "resourceType": "Coverage",
        "id": fhir::random_id(),
        "status": "active",
        "beneficiary": owner,
        "payor": [owner],
        "contained": [condition()],
        "extension": [{"url": "http://example.org/about", "valueReference": {"reference": "#c"}}]
    });
    store(&client, &[&coverage]).await
}

#[tokio::test]
async fn a_patch_adds_no_resource_of_another_class() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let path = path(&patient);
    let operations = json!([{"op": "add", "path": "/contained", "value": [condition()]}]);
    let patched = patch(&client, &path, &operations).await?;
    let expected = (422, vec!["Patient.contained[0]".to_owned()]);
    assert_eq!(refusal(&patched)?, expected);
    let data = operations.to_string();
    let binary = json!({
        "resourceType": "Binary",
        "contentType": super::api::JSON_PATCH,
        "data": STANDARD.encode(data)
    });
    let request = json!({"method": "PATCH", "url": fhir::reference(&patient)});
    let entry = json!({"resource": binary, "request": request});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    let (status, _) = refusal(&client.bundle(&bundle).await?)?;
    assert_eq!(status, 422);
    let read = client.read("Patient", fhir::id(&patient)).await?;
    assert_eq!(read, patient);
    Ok(())
}
