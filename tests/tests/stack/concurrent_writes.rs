//! Writes that compete for a record number, or for a database connection.

use std::fs;

use anyhow::Context;
use futures::future::try_join_all;
use serde_json::Value;
use serde_json::json;
use stack::KeyService;
use tests::Clinic;
use tests::IsolatedStack;
use tests::RunningStack;
use tests::fhir;

/// A patient with a social security number, and with the record number of another.
fn with_number_of(other: &Value, number: usize) -> Value {
    let mut patient = fhir::patient();
    patient["identifier"] = json!([
        other["identifier"][0],
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": format!("999-12-{number:04}")}
    ]);
    patient
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicting_writes_of_a_batch_are_found_together_and_store_nothing() -> anyhow::Result<()>
{
    let changed = IsolatedStack::start_with(|settings| {
        settings.options.key_service = KeyService::Emulator;
    });
    let isolated = changed.await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let taken = fhir::patient();
    clinician
        .bundle(&fhir::transaction(&[&taken]))
        .await?
        .expect_status(200)?;
    let mut entries: Vec<Value> = (0..150).map(|it| with_number_of(&taken, it)).collect();
    let of_refused = fhir::observation(&entries[0]);
    let orphans = (0..48).map(|_| fhir::observation(&fhir::patient()));
    entries.extend(orphans);
    entries.push(of_refused);
    let accepted = fhir::patient();
    entries.push(accepted.clone());
    let mut attacker = running.attacker().await?;
    let keys = "SELECT COUNT(*) FROM `keys`";
    let stored = attacker.number(keys, &[]).await?;
    let calls = || -> anyhow::Result<usize> {
        let log = fs::read_to_string(running.status.logs.join("kms.log"))?;
        Ok(log.matches("POST /").count())
    };
    let called = calls()?;
    let resources: Vec<&Value> = entries.iter().collect();
    let response = clinician
        .bundle(&fhir::batch(&resources))
        .await?
        .expect_status(200)?;
    let responses = response.json()?["entry"]
        .as_array()
        .cloned()
        .context("entries")?;
    for (index, response) in responses.iter().enumerate() {
        let expected = match index {
            0..150 => "409 Conflict",
            150..199 => "422 Unprocessable Entity",
            _ => "201 Created",
        };
        assert_eq!(
            response["response"]["status"], expected,
            "entry {index}: {response}"
        );
    }
    assert!(
        calls()? <= called + 2,
        "{} calls of the key service",
        calls()? - called
    );
    assert_eq!(attacker.number(keys, &[]).await?, stored + 1);
    Ok(())
}

#[tokio::test]
async fn a_record_number_is_assigned_to_the_first_entry_of_a_batch_for_which_it_is_free()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    // Two entries with one new number: the first one gets it.
    let (first, mut second) = (fhir::patient(), fhir::patient());
    second["identifier"] = first["identifier"].clone();
    let response = clinician
        .bundle(&fhir::batch(&[&first, &second]))
        .await?
        .json()?;
    assert_eq!(response["entry"][0]["response"]["status"], "201 Created");
    assert_eq!(response["entry"][1]["response"]["status"], "409 Conflict");
    // A number that its patient gives up in the same batch is free for the next entry.
    let mut gives_up = first.clone();
    gives_up["identifier"][0]["value"] = json!(fhir::random_record_number());
    let response = clinician
        .bundle(&fhir::batch(&[&gives_up, &second]))
        .await?
        .json()?;
    assert_eq!(response["entry"][0]["response"]["status"], "200 OK");
    assert_eq!(response["entry"][1]["response"]["status"], "201 Created");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_database_connection_serves_concurrent_reads_and_writes() -> anyhow::Result<()> {
    let changed = IsolatedStack::start_with(|settings| settings.options.database_connections = 1);
    let isolated = changed.await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let attempt = (0..12).map(|_| async {
        let added = fhir::patient();
        let write = fhir::transaction(&[&added, &fhir::observation(&patient)]);
        let (written, read) = tokio::join!(clinician.bundle(&write), clinician.get(&path));
        written?.expect_status(200)?;
        read?.expect_status(200)
    });
    try_join_all(attempt).await?;
    Ok(())
}

#[tokio::test]
async fn record_numbers_are_exchanged_in_one_transaction_in_any_order() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let (mut one, mut other) = (fhir::patient(), fhir::patient());
    let store = async |resources: &[&Value]| {
        let done = clinician.bundle(&fhir::transaction(resources)).await?;
        anyhow::Ok(done.status.as_u16())
    };
    assert_eq!(store(&[&one, &other]).await?, 200);
    // Exchanged.
    let number = one["identifier"].take();
    one["identifier"] = other["identifier"].take();
    other["identifier"] = number;
    assert_eq!(store(&[&one, &other]).await?, 200);
    // Removed from one and given to a new patient, which is written first.
    let mut new = fhir::patient();
    new["identifier"] = one["identifier"].take();
    one["identifier"] = fhir::patient()["identifier"].clone();
    assert_eq!(store(&[&new, &one]).await?, 200);
    // Free once its patient is deleted.
    let mut heir = fhir::patient();
    heir["identifier"] = other["identifier"].clone();
    let mut bundle = fhir::transaction(&[&heir]);
    let request = json!({"request": {"method": "DELETE", "url": fhir::reference(&other)}});
    if let Some(entries) = bundle["entry"].as_array_mut() {
        entries.push(request);
    }
    clinician.bundle(&bundle).await?.expect_status(200)?;
    // Still taken.
    let mut late = fhir::patient();
    late["identifier"] = heir["identifier"].clone();
    assert_eq!(store(&[&late, &one]).await?, 409);
    Ok(())
}

/// A transaction that creates a resource unless there is one with its first identifier.
fn conditional_create(resource: &Value, chart: &str) -> Value {
    let mut resource = resource.clone();
    if let Some(object) = resource.as_object_mut() {
        object.remove("id");
    }
    let identifier = &resource["identifier"][0];
    let (system, value) = (&identifier["system"], &identifier["value"]);
    let token = [system, value].map(|it| it.as_str().unwrap_or_default());
    let condition = format!("identifier={}{chart}", token.join("|"));
    let request =
        json!({"method": "POST", "url": resource["resourceType"], "ifNoneExist": condition});
    let entry = json!({"resource": resource, "request": request});
    json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_conditional_creates_on_two_instances_creates_the_resource()
-> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let binaries = isolated.stack.binaries();
    let beside = isolated.stack.start_second_instance(binaries).await?;
    let (running, other) = (isolated.running()?, RunningStack::of(beside.status())?);
    let here = running.clinician(Clinic::Riverside).await?;
    let there = other.anonymous().with_token(here.token());
    let owner = fhir::patient();
    let stored = here.bundle(&fhir::transaction(&[&owner])).await?;
    stored.expect_status(200)?;
    let chart = format!("&patient={}", fhir::id(&owner));
    for round in 0..3 {
        let identifier = json!([{"system": "http://example.org/two", "value": format!("{round}")}]);
        let mut practitioner = json!({"resourceType": "Practitioner"});
        let mut observation = fhir::observation(&owner);
        for resource in [&mut practitioner, &mut observation] {
            resource["identifier"] = identifier.clone();
        }
        for (resource, chart) in [
            (fhir::patient(), ""),
            (practitioner, ""),
            (observation, &*chart),
        ] {
            let sent = conditional_create(&resource, chart);
            let requests = (0..8).map(async |number| {
                let client = if number % 2 == 0 { &here } else { &there };
                client.bundle(&sent).await?.expect_status(200)?.json()
            });
            let done = try_join_all(requests).await?;
            let created = done.iter().filter(|it| {
                let status = it["entry"][0]["response"]["status"].as_str();
                status == Some("201 Created")
            });
            assert_eq!(created.count(), 1, "{done:?}");
            let location = &done[0]["entry"][0]["response"]["location"];
            for other in &done {
                assert_eq!(&other["entry"][0]["response"]["location"], location);
            }
        }
    }
    Ok(())
}
