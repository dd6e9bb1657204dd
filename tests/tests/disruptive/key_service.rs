//! The key service by AWS KMS's protocol: everything works over it, and when it is away, what is open stays open
//! until its deadline and nothing else is opened.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use stack::KeyService;
use tests::Answer;
use tests::Apart;
use tests::Client;
use tests::Clinic;
use tests::fhir;

/// How long a key stays open: long enough to see that it does, short enough to see the end.
const OPEN_SECONDS: u16 = 15;

const SSN: &str = "999-12-3456";

async fn up() -> Apart {
    let changed = Apart::up_with(|settings| {
        settings.options.key_service = KeyService::Emulator;
        settings.options.key_cache_seconds = OPEN_SECONDS;
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

/// A service that is away: says so, says when to try again, and tells nothing else.
#[track_caller]
fn assert_away(answer: &Answer) {
    assert_eq!(answer.status.as_u16(), 503, "{}", answer.text());
    assert!(answer.header("retry-after").parse::<u32>().is_ok());
    for told in ["Testperson", "Wilhelmina", "1961-04-23", "999123456", SSN] {
        assert!(!answer.text().contains(told), "{}", answer.text());
    }
}

/// Asks until the status is another than `from`.
async fn status_after(from: u16, client: &Client, path: &str) -> Answer {
    let deadline = Instant::now() + Duration::from_mins(3);
    loop {
        let answer = client.get(path).await.unwrap();
        if answer.status.as_u16() != from {
            return answer;
        }
        assert!(Instant::now() < deadline, "still {from}: {}", answer.text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_outlives_the_key_service_to_its_deadline_and_nothing_else_is_opened() {
    let mut apart = up().await;
    let running = apart.running().unwrap();
    let clinician = running.clinician(Clinic::Riverside).await.unwrap();
    let patient = patient_with_ssn();
    let bundle = fhir::transaction(&[&patient]);
    clinician
        .bundle(&bundle)
        .await
        .unwrap()
        .expecting(200)
        .unwrap();
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let by_ssn = [("identifier", SSN)];
    let found = clinician.found(&by_ssn).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["id"], patient["id"]);

    apart.stack.pause("kms").unwrap();
    clinician.get(&path).await.unwrap().expecting(200).unwrap();
    // What has to ask the key service each time is away at once.
    assert_away(&clinician.search(&by_ssn).await.unwrap());
    let answer = status_after(200, &clinician, &path).await;
    assert_away(&answer);
    for _ in 0..5 {
        assert_away(&clinician.get(&path).await.unwrap());
    }
    assert_away(
        &clinician
            .bundle(&fhir::transaction(&[&fhir::patient()]))
            .await
            .unwrap(),
    );
    assert_away(&clinician.search(&[("family", "Testperson")]).await.unwrap());

    apart.stack.resume("kms").unwrap();
    let answer = status_after(503, &clinician, &path).await;
    let read = answer.expecting(200).unwrap().json().unwrap();
    assert_eq!(fhir::without_stamp(&read), patient);
    assert_eq!(clinician.found(&by_ssn).await.unwrap().len(), 1);
    let logs = running.logs().unwrap();
    assert!(!logs.contains("Testperson") && !logs.contains(SSN));
    apart.stack.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_the_key_service_opens_nothing_and_recovers_by_itself() {
    let mut apart = up().await;
    let running = apart.running().unwrap();
    let clinician = running.clinician(Clinic::Riverside).await.unwrap();
    let patient = fhir::patient();
    let bundle = fhir::transaction(&[&patient]);
    clinician
        .bundle(&bundle)
        .await
        .unwrap()
        .expecting(200)
        .unwrap();
    let path = format!("/fhir/{}", fhir::reference(&patient));

    apart.stack.pause("kms").unwrap();
    apart.stack.kill("app").await.unwrap();
    apart.stack.start("app").await.unwrap();
    assert_away(&clinician.get(&path).await.unwrap());
    // Web asks the app once a second, and believes the second refusal.
    let unready = status_after(200, &running.nobody(), "/readyz").await;
    assert_eq!(unready.status.as_u16(), 503);

    apart.stack.resume("kms").unwrap();
    let answer = status_after(503, &clinician, &path).await;
    answer.expecting(200).unwrap();
    apart.stack.down().await.unwrap();
}
