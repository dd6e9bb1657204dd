//! The app's memory while it serves concurrent requests that read far more than they return.

use std::net::Ipv4Addr;

use anyhow::Context;
use futures::future::join_all;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::MemoryMeter;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::fhir;

/// The largest permitted growth of the app's memory, in bytes.
const MAX_APP_GROWTH: u64 = 256 << 20;
/// The client that sends many requests at once, and the one that must be served meanwhile.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
const VICTIM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A request of a flood.
#[derive(Clone, Copy)]
enum FloodRequest<'a> {
    Api(&'a str),
    Page(&'a str),
    Family(&'a str),
}

impl FloodRequest<'_> {
    async fn send(self, client: &Client) -> anyhow::Result<TestResponse> {
        match self {
            Self::Api(path) => client.get(path).await,
            Self::Page(path) => client.page(path).await,
            Self::Family(family) => client.search(&[("family", family)]).await,
        }
    }
}

/// Sends requests at once while a caller of another organization is served. Each is served or
/// refused with the time to wait, and the app keeps within its memory.
async fn flood(
    running: &RunningStack,
    attacker: &Client,
    count: usize,
    request: FloodRequest<'_>,
) -> anyhow::Result<()> {
    let victim = running.from_address(VICTIM)?;
    let victim = victim
        .sign_in_with_new_token(Role::Clinician, Clinic::Lakeside)
        .await?;
    let patient = fhir::patient();
    let write = fhir::transaction(&[&patient]);
    victim.bundle(&write).await?.expect_status(200)?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let app = MemoryMeter::of(running.status.app.pid)?;
    let requests = (0..count).map(|_| async {
        let client = running.from_address(ATTACKER)?.anonymous();
        let client = client.with_token(attacker.token());
        let response = request.send(&client).await?;
        // Refused for the caller's share, or because all database connections are in use.
        let waits = response.header("retry-after").parse().unwrap_or(0_u32);
        assert_eq!(response.status == 503, waits > 0, "{}", response.status);
        anyhow::Ok(response.status.as_u16())
    });
    let served = async {
        for _ in 0..10 {
            victim.get(&path).await?.expect_status(200)?;
        }
        anyhow::Ok(())
    };
    let (statuses, served) = tokio::join!(join_all(requests), served);
    served?;
    let statuses: anyhow::Result<Vec<_>> = statuses.into_iter().collect();
    let statuses = statuses?;
    let done = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    let growth = app.growth()?;
    eprintln!(
        "the app has grown by {} MiB; {done} done, {refused} refused",
        growth >> 20
    );
    assert!(done > 0 && done + refused == statuses.len(), "{statuses:?}");
    assert!(growth <= MAX_APP_GROWTH, "grown by {} MiB", growth >> 20);
    Ok(())
}

/// A transaction that changes nothing after the first time, and whose audit event names a thousand
/// resources.
fn thousand_resources(patient: &Value) -> Value {
    let observations: Vec<_> = (0..999).map(|_| fhir::observation(patient)).collect();
    let mut resources: Vec<_> = observations.iter().collect();
    resources.insert(0, patient);
    fhir::transaction(&resources)
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_events_that_name_many_resources_are_listed_within_the_memory_limit()
-> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let write = thousand_resources(&fhir::patient()).to_string();
    for _ in 0..40 {
        clinician
            .post_fhir(write.clone())
            .await?
            .expect_status(200)?;
    }
    let body = officer
        .get("/api/v1/audit/events")
        .await?
        .expect_status(200)?;
    assert!(body.body.len() <= 5 << 20, "{} bytes", body.body.len());
    let body = body.json()?;
    let events = body["events"].as_array().context("events")?;
    assert!((20..40).contains(&events.len()), "{} events", events.len());
    assert_eq!(body["cut"], true);
    // A row of the page names three resources of an event, so the page shows all events.
    let page = officer.page("/audit").await?.expect_status(200)?;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    assert_eq!(page.matches("and 997 more").count(), 40);
    assert!(!page.contains("left out"), "the page is cut");
    flood(
        &running,
        &officer,
        32,
        FloodRequest::Api("/api/v1/audit/events"),
    )
    .await?;
    flood(&running, &officer, 32, FloodRequest::Page("/audit")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_of_any_length_is_shown_within_the_memory_limit() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    for _ in 0..4 {
        let mut resources = vec![patient.clone()];
        resources.extend((0..70).map(|_| {
            let mut observation = fhir::observation(&patient);
            if let Some(elements) = observation.as_object_mut() {
                elements.remove("valueQuantity");
            }
            observation["valueString"] = json!("v".repeat(100_000));
            observation
        }));
        let resources: Vec<_> = resources.iter().collect();
        let write = fhir::transaction(&resources);
        clinician.bundle(&write).await?.expect_status(200)?;
    }
    let path = format!("/patients/{}", fhir::id(&patient));
    let page = clinician.page(&path).await?.expect_status(200)?;
    let text = String::from_utf8_lossy(&page.body).into_owned();
    assert!(text.contains(&format!("{}…", "v".repeat(512))), "no lines");
    assert!(text.contains("280"), "not all records are counted");
    assert!(text.len() < 200_000, "{} bytes", text.len());
    flood(&running, &clinician, 12, FloodRequest::Page(&path)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_large_patients_reads_them_within_the_memory_limit() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for _ in 0..14 {
        let mut patient = fhir::patient();
        patient["name"] = json!([{"family": "Zzyzx"}]);
        let contact = json!({"name": {"text": "v".repeat(100_000)}});
        patient["contact"] = (0..45).map(|_| contact.clone()).collect();
        let write = fhir::transaction(&[&patient]);
        clinician.bundle(&write).await?.expect_status(200)?;
    }
    let response = clinician.search(&[("family", "Zzyzx")]).await?;
    let bundle = response.expect_status(200)?.json()?;
    assert_eq!(bundle["total"], 14);
    flood(&running, &clinician, 12, FloodRequest::Family("Zzyzx")).await
}

#[tokio::test]
async fn a_patient_takes_a_limited_part_of_the_roster() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let refused = |part: &str, value: Value| {
        let mut patient = fhir::patient();
        patient[part] = value;
        patient
    };
    let word = |number: usize| format!("{number:x}").repeat(8);
    let names = |names: usize, given: usize| -> Value {
        let name = |number: usize| {
            let given = (0..given).map(|it| word(number * given + it));
            json!({"family": "Zo", "given": given.collect::<Vec<_>>()})
        };
        (0..names).map(name).collect()
    };
    let words = vec!["word"; 2_000].join(" ");
    for patient in [
        refused("name", names(100, 70)),
        refused("name", json!([{"text": words}])),
        refused("name", json!([{"family": "f".repeat(20_000)}])),
        refused("address", json!([{"text": "a".repeat(20_000)}])),
    ] {
        let response = clinician.bundle(&fhir::transaction(&[&patient])).await?;
        let issues = response.expect_status(422)?.issues()?;
        assert_eq!(issues[0]["code"], "too-long");
        assert_eq!(issues[0]["expression"][0], "Bundle.entry[0].resource");
        let response = clinician.bundle(&fhir::batch(&[&patient])).await?;
        let entry = response.expect_status(200)?.json()?["entry"][0].take();
        assert_eq!(entry["response"]["status"], "422 Unprocessable Entity");
    }
    // Ten names with eight given names each are found by each.
    let mut patient = fhir::patient();
    patient["name"] = names(10, 8);
    let write = fhir::transaction(&[&patient]);
    clinician.bundle(&write).await?.expect_status(200)?;
    for number in [0, 79] {
        let given = word(number);
        let query = [("given", given.as_str()), ("family", "Zo")];
        let found = clinician.found(&query).await?;
        assert!(found.iter().any(|it| it["id"] == patient["id"]), "{given}");
    }
    Ok(())
}
