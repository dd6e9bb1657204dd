//! Values far longer than any column: they are stored or refused with their place, and nothing fails.

use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::fhir;

use super::api::clinician;
use super::api::put;
use super::api::searchset;
use super::api::store;
use super::api::unique_word;

/// The length of the values.
const LENGTH: usize = 100_000;

/// A text of letters that no other test has.
fn long() -> String {
    "x".repeat(LENGTH)
}

/// The name of an element and its value.
type Element = (&'static str, Value);

/// The names of a Patient, each with a long value.
fn names(long: &str) -> Vec<Element> {
    vec![
        ("name", json!([{"family": long}])),
        ("name", json!([{"given": [long]}])),
        (
            "name",
            json!([{"family": "Short", "given": vec!["Wilhelmina"; 9_000]}]),
        ),
        ("name", json!([{"text": long}])),
        (
            "name",
            json!([{"family": "Short", "prefix": [long], "suffix": [long]}]),
        ),
    ]
}

/// The identifiers of a Patient, each with a long value.
fn identifiers(long: &str) -> Vec<Element> {
    vec![
        (
            "identifier",
            json!([{"system": "http://example.org/long", "value": long}]),
        ),
        (
            "identifier",
            json!([{"system": format!("http://example.org/{long}"), "value": "1"}]),
        ),
        (
            "identifier",
            json!([{"value": "1", "type": {"text": long}}]),
        ),
        (
            "identifier",
            json!([{"value": "1", "assigner": {"display": long}}]),
        ),
        (
            "identifier",
            json!([{"value": long, "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}}]),
        ),
        (
            "identifier",
            json!([{"value": long, "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "SS"}]}}]),
        ),
    ]
}

/// The contact points and addresses of a Patient, each with a long value.
fn contact_details(long: &str) -> Vec<Element> {
    let address = |element: &str, value: Value| json!([{element: value}]);
    vec![
        ("telecom", json!([{"system": "phone", "value": long}])),
        (
            "telecom",
            json!([{"system": "phone", "value": "5".repeat(LENGTH)}]),
        ),
        (
            "telecom",
            json!([{"system": "email", "value": format!("{long}@example.org")}]),
        ),
        ("address", address("city", json!(long))),
        ("address", address("state", json!(long))),
        ("address", address("district", json!(long))),
        ("address", address("country", json!(long))),
        ("address", address("postalCode", json!(long))),
        ("address", address("line", json!([long]))),
        ("address", address("text", json!(long))),
    ]
}

/// The other elements of a Patient, each with a long value.
fn other_elements(long: &str) -> Vec<Element> {
    vec![
        ("maritalStatus", json!({"text": long})),
        ("maritalStatus", json!({"coding": [{"code": long}]})),
        (
            "communication",
            json!([{"language": {"text": long, "coding": [{"code": long}]}}]),
        ),
        (
            "contact",
            json!([{"name": {"family": long}, "telecom": [{"system": "phone", "value": long}]}]),
        ),
        ("generalPractitioner", json!([{"display": long}])),
        (
            "generalPractitioner",
            json!([{"reference": format!("http://example.org/{long}")}]),
        ),
        (
            "generalPractitioner",
            json!([{"identifier": {"system": "http://example.org/x", "value": long}}]),
        ),
        ("managingOrganization", json!({"display": long})),
        (
            "photo",
            json!([{"title": long, "url": format!("http://example.org/{long}")}]),
        ),
        (
            "extension",
            json!([{"url": format!("http://example.org/{long}"), "valueString": long}]),
        ),
        ("language", json!(long)),
        ("implicitRules", json!(format!("http://example.org/{long}"))),
        (
            "meta",
            json!({"source": format!("http://example.org/{long}"), "tag": [{"code": long}]}),
        ),
        ("birthDate", json!(long)),
        ("gender", json!(long)),
    ]
}

/// Elements of a Patient, each with a long value.
fn elements() -> Vec<Element> {
    let long = long();
    let mut all = names(&long);
    all.extend(identifiers(&long));
    all.extend(contact_details(&long));
    all.extend(other_elements(&long));
    all
}

/// Requires that a resource is stored and read back, or refused with a place and without the value.
async fn expect_stored_or_refused(
    client: &Client,
    resource: &Value,
    what: &str,
) -> anyhow::Result<bool> {
    let response = put(client, resource).await?;
    let text = response.text();
    let shown: String = text.chars().take(400).collect();
    match response.status.as_u16() {
        201 => {
            let kind = resource["resourceType"].as_str().unwrap_or_default();
            let read = client.read(kind, fhir::id(resource)).await?;
            let read = fhir::without_server_meta(&read);
            anyhow::ensure!(read == *resource, "{what}: not what was sent");
            Ok(true)
        }
        422 => {
            anyhow::ensure!(!response.places()?.is_empty(), "{what}: no place: {shown}");
            anyhow::ensure!(
                text.len() < 10_000,
                "{what}: the value is repeated: {shown}"
            );
            Ok(false)
        }
        other => anyhow::bail!("{what}: {other}: {shown}"),
    }
}

#[tokio::test]
async fn long_demographics_are_stored_or_refused_and_lists_still_work() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let witness = unique_word();
    let mut failures = Vec::new();
    let mut stored = Vec::new();
    for (index, (element, value)) in elements().into_iter().enumerate() {
        let what = format!("{element} ({index})");
        let mut patient = fhir::patient();
        if element != "name" {
            patient["name"][0]["family"] = json!(witness);
        }
        patient[element] = value;
        match expect_stored_or_refused(&client, &patient, &what).await {
            Ok(true) => stored.push(patient),
            Ok(false) => {}
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    for patient in &stored {
        let id = fhir::id(patient);
        let page = client.page(&format!("/patients/{id}")).await?;
        if page.status != 200 {
            failures.push(format!(
                "the chart of {}: {}",
                elements_of(patient),
                page.status
            ));
        }
        let found = client.found(&[("_id", &id.to_string())]).await?;
        if found.len() != 1 {
            failures.push(format!("not found: {}", elements_of(patient)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(stored.len() > 10, "{}", stored.len());
    client.page("/patients").await?.expect_status(200)?;
    let page = client.form("/patients/search", &[("q", &witness)]).await?;
    assert!(page.text().contains(&witness), "{}", page.text());
    let found = searchset(
        &client,
        "Patient",
        &[("family", &*witness), ("_count", "0")],
    )
    .await?;
    assert!(
        found["total"].as_u64().is_some_and(|total| total > 5),
        "{found}"
    );
    Ok(())
}

/// The names of a patient's elements.
fn elements_of(patient: &Value) -> String {
    let names = patient
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| &**name);
    names.collect::<Vec<_>>().join(" ")
}

/// A concept with a long system, code, display and text.
fn concept(long: &str) -> Value {
    let coding =
        json!({"system": format!("http://example.org/{long}"), "code": long, "display": long});
    json!({"coding": [coding], "text": long})
}

/// Elements of an Observation, each with a long value.
fn observation_elements(long: &str) -> Vec<Element> {
    let concept = concept(long);
    vec![
        ("code", concept.clone()),
        ("category", json!([concept])),
        (
            "identifier",
            json!([{"system": "http://example.org/x", "value": long}]),
        ),
        ("method", concept.clone()),
        ("note", json!([{"text": long}])),
        ("performer", json!([{"display": long}])),
        (
            "performer",
            json!([{"reference": format!("http://example.org/{long}")}]),
        ),
        ("interpretation", json!([concept])),
        ("referenceRange", json!([{"text": long}])),
        (
            "valueQuantity",
            json!({"value": 1, "unit": long, "code": long}),
        ),
        ("effectiveDateTime", json!(long)),
        ("status", json!(long)),
    ]
}

/// Types without an owner, each with the contents of a resource with long values.
fn chartless_resources(long: &str) -> Vec<Element> {
    vec![
        (
            "Practitioner",
            json!({"name": [{"family": long, "given": [long]}]}),
        ),
        ("Organization", json!({"name": long, "alias": [long]})),
        ("Location", json!({"name": long, "address": {"city": long}})),
        ("Medication", json!({"code": concept(long)})),
        (
            "Questionnaire",
            json!({"status": "draft", "title": long, "url": format!("http://example.org/{long}")}),
        ),
    ]
}

#[tokio::test]
async fn long_codes_and_identifiers_are_stored_or_refused_and_found() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = fhir::patient();
    store(&client, &[&patient]).await?;
    let long = long();
    let mut failures = Vec::new();
    for (element, value) in observation_elements(&long) {
        let mut observation = fhir::observation(&patient);
        observation[element] = value;
        let stored = expect_stored_or_refused(&client, &observation, element).await;
        failures.extend(stored.err().map(|error| format!("{error:#}")));
    }
    for (kind, mut resource) in chartless_resources(&long) {
        resource["resourceType"] = json!(kind);
        resource["id"] = json!(fhir::random_id());
        resource["identifier"] = json!([{"system": "http://example.org/x", "value": long}]);
        let stored = expect_stored_or_refused(&client, &resource, kind).await;
        failures.extend(stored.err().map(|error| format!("{error:#}")));
        let id = resource["id"].as_str().unwrap_or_default();
        let found = searchset(&client, kind, &[("_id", id)]).await?;
        if found["total"] != 1 {
            failures.push(format!("{kind}: not found"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let id = fhir::id(&patient).to_string();
    let found = searchset(
        &client,
        "Observation",
        &[("patient", &*id), ("status", "final"), ("_count", "0")],
    )
    .await?;
    assert!(
        found["total"].as_u64().is_some_and(|total| total > 5),
        "{found}"
    );
    let page = client
        .page(&format!("/patients/{id}"))
        .await?
        .expect_status(200)?;
    assert!(page.text().contains("Testperson"));
    Ok(())
}
