//! Conditions of Bundles: on one match, none and several, and across organizations.

use http::HeaderName;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::fhir;

use super::api::clinician;
use super::api::created;
use super::api::response;
use super::api::searchset;
use super::api::store;
use super::api::unique_word;

const SYSTEM: &str = "http://example.org/conditions";

/// A practitioner with this identifier.
fn practitioner(value: &str) -> Value {
    let mut practitioner = super::api::practitioner();
    practitioner["identifier"] = json!([{"system": SYSTEM, "value": value}]);
    practitioner
}

/// A patient with this identifier beside the record number.
fn patient(value: &str) -> Value {
    let mut patient = fhir::patient();
    let identifier = json!({"system": SYSTEM, "value": value});
    patient["identifier"] = json!([patient["identifier"][0], identifier]);
    patient
}

/// The type of a resource.
fn type_of(resource: &Value) -> String {
    let kind = resource["resourceType"].as_str();
    kind.unwrap_or_default().to_owned()
}

/// A transaction or batch of one entry.
fn bundle(kind: &str, request: &Value, resource: Option<&Value>) -> Value {
    let mut entry = json!({"request": request});
    if let Some(resource) = resource {
        entry["resource"] = resource.clone();
    }
    json!({"resourceType": "Bundle", "type": kind, "entry": [entry]})
}

fn create(resource: &Value, value: &str) -> Value {
    let mut resource = resource.clone();
    if let Some(object) = resource.as_object_mut() {
        object.remove("id");
    }
    let kind = resource["resourceType"].clone();
    let condition = format!("identifier={SYSTEM}|{value}");
    let request = json!({"method": "POST", "url": kind, "ifNoneExist": condition});
    bundle("transaction", &request, Some(&resource))
}

fn update(resource: &Value, value: &str) -> Value {
    let mut resource = resource.clone();
    if let Some(object) = resource.as_object_mut() {
        object.remove("id");
    }
    let kind = resource["resourceType"].as_str().unwrap_or_default();
    let url = format!("{kind}?identifier={SYSTEM}|{value}");
    bundle(
        "transaction",
        &json!({"method": "PUT", "url": url}),
        Some(&resource),
    )
}

fn delete(kind: &str, value: &str) -> Value {
    let url = format!("{kind}?identifier={SYSTEM}|{value}");
    bundle(
        "transaction",
        &json!({"method": "DELETE", "url": url}),
        None,
    )
}

/// The number of resources with an identifier.
async fn count(client: &Client, kind: &str, value: &str) -> anyhow::Result<Value> {
    let token = format!("{SYSTEM}|{value}");
    let found = searchset(client, kind, &[("identifier", &token)]).await?;
    Ok(found["total"].clone())
}

/// The status of the only entry of a transaction.
async fn status(client: &Client, bundle: &Value) -> anyhow::Result<String> {
    let done = client.bundle(bundle).await?;
    if done.status != 200 {
        done.issues()?;
        return Ok(done.status.as_str().to_owned());
    }
    let done = done.json()?;
    let status = response(&done, 0)["status"].as_str().unwrap_or_default();
    Ok(status.chars().take(3).collect())
}

#[tokio::test]
async fn a_condition_decides_by_its_number_of_matches() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    for make in [practitioner, patient] {
        let value = unique_word();
        let kind = type_of(&make(&value));
        let number = async || count(&client, &kind, &value).await;
        // None: created, once.
        assert_eq!(
            status(&client, &delete(&kind, &value)).await?,
            "204",
            "{kind}"
        );
        assert_eq!(
            status(&client, &create(&make(&value), &value)).await?,
            "201",
            "{kind}"
        );
        assert_eq!(
            status(&client, &create(&make(&value), &value)).await?,
            "200",
            "{kind}"
        );
        assert_eq!(number().await?, 1, "{kind}");
        // One: amended.
        let mut amended = make(&value);
        amended["name"][0]["family"] = json!(unique_word());
        assert_eq!(
            status(&client, &update(&amended, &value)).await?,
            "200",
            "{kind}"
        );
        assert_eq!(number().await?, 1, "{kind}");
        // Several: refused, and nothing changed.
        created(&client, &make(&value)).await?;
        assert_eq!(number().await?, 2, "{kind}");
        for bundle in [
            create(&make(&value), &value),
            update(&make(&value), &value),
            delete(&kind, &value),
        ] {
            assert_eq!(status(&client, &bundle).await?, "412", "{kind}");
        }
        assert_eq!(number().await?, 2, "{kind}");
        // One: deleted.
        let single = unique_word();
        assert_eq!(
            status(&client, &update(&make(&single), &single)).await?,
            "201",
            "{kind}"
        );
        assert_eq!(
            status(&client, &delete(&kind, &single)).await?,
            "204",
            "{kind}"
        );
        assert_eq!(count(&client, &kind, &single).await?, 0, "{kind}");
        // A deleted one is no match.
        assert_eq!(
            status(&client, &create(&make(&single), &single)).await?,
            "201",
            "{kind}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_conditional_reference_needs_one_match() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let (one, several, none) = (unique_word(), unique_word(), unique_word());
    let single = practitioner(&one);
    store(
        &client,
        &[&single, &practitioner(&several), &practitioner(&several)],
    )
    .await?;
    let owner = patient(&one);
    store(&client, &[&owner]).await?;
    let observation = |subject: &str, performer: &str| {
        let mut observation = fhir::observation(&owner);
        let reference = |kind: &str, value: &str| format!("{kind}?identifier={SYSTEM}|{value}");
        observation["subject"]["reference"] = json!(reference("Patient", subject));
        observation["performer"] = json!([{"reference": reference("Practitioner", performer)}]);
        observation
    };
    for (subject, performer, expected) in [
        (&one, &one, 200),
        (&one, &several, 422),
        (&one, &none, 422),
        (&none, &one, 422),
    ] {
        let sent = observation(subject, performer);
        let done = client.bundle(&fhir::transaction(&[&sent])).await?;
        assert_eq!(done.status, expected, "{}", done.text());
        let read = client.get(&super::api::path(&sent)).await?;
        if expected == 200 {
            let read = read.expect_status(200)?.json()?;
            assert_eq!(read["subject"]["reference"], fhir::reference(&owner));
            assert_eq!(read["performer"][0]["reference"], fhir::reference(&single));
        } else {
            done.issues()?;
            assert!(!done.text().contains(subject) && !done.text().contains(performer));
            read.expect_status(404)?;
        }
    }
    Ok(())
}

/// What a client learns from a response: status, headers and body without ids, times and sizes.
fn learned(response: &tests::TestResponse) -> String {
    let mut names: Vec<_> = response.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let hidden = |text: &str| -> String {
        let hide = |letter: char| {
            if letter.is_ascii_hexdigit() {
                '0'
            } else {
                letter
            }
        };
        text.chars().map(hide).collect()
    };
    let status = response.status;
    format!("{status} {names:?} {}", hidden(&response.text()))
}

#[tokio::test]
async fn a_resource_of_another_organization_is_no_match_and_leaves_no_trace() -> anyhow::Result<()>
{
    let (running, client) = clinician().await?;
    let there = running.clinician(Clinic::Lakeside).await?;
    for make in [practitioner, patient] {
        let (foreign, unknown) = (unique_word(), unique_word());
        let kept = created(&there, &make(&foreign)).await?;
        let kind = type_of(&kept);
        let refers = |value: &str| {
            let mut observation = fhir::observation(&fhir::patient());
            let subject = format!("Patient?identifier={SYSTEM}|{value}");
            observation["subject"]["reference"] = json!(subject);
            fhir::transaction(&[&observation])
        };
        let attempts: [&dyn Fn(&str) -> Value; 4] = [
            &refers,
            &|value| delete(&kind, value),
            &|value| update(&make(value), value),
            &|value| create(&make(value), value),
        ];
        for (number, attempt) in attempts.iter().enumerate() {
            let (foreign, unknown) = (attempt(&foreign), attempt(&unknown));
            let of_foreign = learned(&client.bundle(&foreign).await?);
            let of_unknown = learned(&client.bundle(&unknown).await?);
            assert_eq!(of_foreign, of_unknown, "{kind}, attempt {number}");
        }
        for value in [&foreign, &unknown] {
            assert_eq!(count(&client, &kind, value).await?, 1, "{kind}");
        }
        assert_eq!(count(&there, &kind, &foreign).await?, 1, "{kind}");
        assert_eq!(count(&there, &kind, &unknown).await?, 0, "{kind}");
        let read = there.read(&kind, fhir::id(&kept)).await?;
        assert_eq!(read, kept, "the other organization's resource is untouched");
    }
    Ok(())
}

#[tokio::test]
async fn an_unsupported_condition_is_refused_without_its_value() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let owner = created(&client, &fhir::patient()).await?;
    let id = fhir::id(&owner);
    for (method, url, if_none_exist) in [
        ("PUT", "Patient?name=CANARYVALUE".to_owned(), None),
        ("PUT", "Patient?identifier=CANARYVALUE,b".to_owned(), None),
        (
            "PUT",
            "Patient?identifier=a&identifier=CANARYVALUE".to_owned(),
            None,
        ),
        ("PUT", "Patient?identifier:not=CANARYVALUE".to_owned(), None),
        ("PUT", "Patient?".to_owned(), None),
        ("PATCH", "Patient?identifier=CANARYVALUE".to_owned(), None),
        ("DELETE", format!("Observation?patient={id}"), None),
        (
            "DELETE",
            "Observation?identifier=CANARYVALUE".to_owned(),
            None,
        ),
        ("DELETE", "Patient?".to_owned(), None),
        ("DELETE", "Patient".to_owned(), None),
        ("POST", "Patient".to_owned(), Some("family=CANARYVALUE")),
        ("POST", "Patient".to_owned(), Some("")),
    ] {
        let mut request = json!({"method": method, "url": url});
        if let Some(condition) = if_none_exist {
            request["ifNoneExist"] = json!(condition);
        }
        let mut sent = fhir::patient();
        if let Some(object) = sent.as_object_mut() {
            object.remove("id");
        }
        let sent = Some(&sent).filter(|_| method != "DELETE");
        for kind in ["transaction", "batch"] {
            let done = client.bundle(&bundle(kind, &request, sent)).await?;
            let text = done.text();
            assert!(!text.contains("CANARYVALUE"), "{request}: {text}");
            let status = match kind {
                "transaction" => done.status.as_u16().to_string(),
                _ => super::api::statuses(&done.expect_status(200)?.json()?).concat(),
            };
            assert!(
                ["400", "412", "422"].contains(&&*status),
                "{kind} {request}: {text}"
            );
        }
    }
    client.read("Patient", id).await?;
    Ok(())
}
