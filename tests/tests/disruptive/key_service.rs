//! The key service over AWS KMS's protocol: the stack works with it, and during an outage open keys
//! stay open until their deadline and no other key is opened.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use stack::KeyService;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::TestResponse;
use tests::fhir;

/// Lifetime of open keys in seconds: long enough to observe it, short enough to wait for its end.
const KEY_CACHE_SECONDS: u16 = 15;

const SSN: &str = "999-12-3456";

async fn start() -> IsolatedStack {
    let changed = IsolatedStack::start_with(|settings| {
        settings.options.key_service = KeyService::Emulator;
        settings.options.key_cache_seconds = KEY_CACHE_SECONDS;
    });
    changed.await.unwrap()
}

fn patient_with_ssn() -> Value {
    let mut patient = fhir::patient();
    patient["identifier"].as_array_mut().unwrap().push(json!({
        "type": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
            "code": "SS"
        }]},
        "system": "http://hl7.org/fhir/sid/us-ssn",
        "value": SSN
    }));
    patient
}

/// Asserts 503 with `Retry-After`, and that the response discloses nothing.
#[track_caller]
fn assert_unavailable(response: &TestResponse) {
    assert_eq!(response.status.as_u16(), 503, "{}", response.text());
    assert!(response.header("retry-after").parse::<u32>().is_ok());
    for value in ["Testperson", "Wilhelmina", "1961-04-23", "999123456", SSN] {
        assert!(!response.text().contains(value), "{}", response.text());
    }
}

/// Requests a path until its status differs from `from`.
async fn status_after(from: u16, client: &Client, path: &str) -> TestResponse {
    let deadline = Instant::now() + Duration::from_mins(3);
    loop {
        let response = client.get(path).await.unwrap();
        if response.status.as_u16() != from {
            return response;
        }
        assert!(
            Instant::now() < deadline,
            "still {from}: {}",
            response.text()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_keys_outlive_the_key_service_until_their_deadline_and_no_other_key_is_opened() {
    let mut isolated = start().await;
    let running = isolated.running().unwrap();
    let clinician = running.clinician(Clinic::Riverside).await.unwrap();
    let patient = patient_with_ssn();
    let bundle = fhir::transaction(&[&patient]);
    clinician
        .bundle(&bundle)
        .await
        .unwrap()
        .expect_status(200)
        .unwrap();
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let by_ssn = [("identifier", SSN)];
    let found = clinician.found(&by_ssn).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["id"], patient["id"]);

    isolated.stack.pause("kms").unwrap();
    clinician
        .get(&path)
        .await
        .unwrap()
        .expect_status(200)
        .unwrap();
    // A search by SSN needs the key service each time, so it fails at once.
    assert_unavailable(&clinician.search(&by_ssn).await.unwrap());
    let response = status_after(200, &clinician, &path).await;
    assert_unavailable(&response);
    for _ in 0..5 {
        assert_unavailable(&clinician.get(&path).await.unwrap());
    }
    assert_unavailable(
        &clinician
            .bundle(&fhir::transaction(&[&fhir::patient()]))
            .await
            .unwrap(),
    );
    assert_unavailable(&clinician.search(&[("family", "Testperson")]).await.unwrap());

    isolated.stack.resume("kms").unwrap();
    let response = status_after(503, &clinician, &path).await;
    let read = response.expect_status(200).unwrap().json().unwrap();
    assert_eq!(fhir::without_server_meta(&read), patient);
    assert_eq!(clinician.found(&by_ssn).await.unwrap().len(), 1);
    let logs = running.logs().unwrap();
    assert!(!logs.contains("Testperson") && !logs.contains(SSN));
    isolated.stack.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_starts_without_the_key_service_opens_nothing_and_recovers() {
    let mut isolated = start().await;
    let running = isolated.running().unwrap();
    let clinician = running.clinician(Clinic::Riverside).await.unwrap();
    let patient = fhir::patient();
    let bundle = fhir::transaction(&[&patient]);
    clinician
        .bundle(&bundle)
        .await
        .unwrap()
        .expect_status(200)
        .unwrap();
    let path = format!("/fhir/{}", fhir::reference(&patient));

    isolated.stack.pause("kms").unwrap();
    isolated.stack.kill("app").await.unwrap();
    isolated.stack.start("app").await.unwrap();
    assert_unavailable(&clinician.get(&path).await.unwrap());
    // Web probes the app once a second, and ejects it after the second failure.
    let unready = status_after(200, &running.anonymous(), "/readyz").await;
    assert_eq!(unready.status.as_u16(), 503);

    isolated.stack.resume("kms").unwrap();
    let response = status_after(503, &clinician, &path).await;
    response.expect_status(200).unwrap();
    isolated.stack.down().await.unwrap();
}
