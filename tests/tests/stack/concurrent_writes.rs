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
