//! Searches that disclose by their number of matches alone: the audit trail names the patients that the number concerns.

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::audit_trail;
use tests::fhir;

use super::api::clinician;
use super::api::entries;
use super::api::officer;
use super::api::search;
use super::api::store;
use super::api::unique_word;

/// The parameters of a search for the number alone.
const COUNTS: [(&str, &str); 2] = [("_count", "0"), ("_summary", "count")];

/// The only event of a search, which succeeds and shows this total and no resources.
async fn event_of_count(
    (client, officer): (&Client, &Client),
    kind: &str,
    fields: &[(&str, &str)],
    total: usize,
) -> anyhow::Result<Value> {
    let response = search(client, kind, fields).await?.expect_status(200)?;
    let found = response.json()?;
    anyhow::ensure!(found["total"] == total, "{fields:?}: {found}");
    anyhow::ensure!(entries(&found).is_empty(), "{fields:?}: {found}");
    let events = audit_trail::latest_events(officer).await?;
    let request = response.header("x-request-id");
    let mut events = events.into_iter().filter(|it| it["request"] == request);
    let event = events.next().context("an event")?;
    anyhow::ensure!(events.next().is_none(), "{fields:?}: several events");
    anyhow::ensure!(event["action"] == "search", "{event}");
    anyhow::ensure!(event["outcome"] == "success", "{event}");
    Ok(event)
}

/// The records of an event without their versions, sorted.
fn records(event: &Value) -> Vec<Value> {
    let all = event["records"].as_array().cloned().unwrap_or_default();
    let mut records: Vec<_> = all
        .iter()
        .map(|it| json!({"kind": it["kind"], "id": it["id"], "patient": it["patient"]}))
        .collect();
    records.sort_by_key(Value::to_string);
    records
}

#[tokio::test]
async fn a_count_in_a_chart_is_an_access_to_that_chart() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let officer = officer(&running).await?;
    let patient = fhir::patient();
    let observation = fhir::observation(&patient);
    store(&client, &[&patient, &observation]).await?;
    let id = fhir::id(&patient).to_string();
    let chart = json!({"kind": "Observation", "id": null, "patient": id});
    for count in COUNTS {
        for (condition, total) in [(("code", "8867-4"), 1), (("code", "unheard-of"), 0)] {
            let fields = [("patient", &*id), condition, count];
            let clients = (&client, &officer);
            let event = event_of_count(clients, "Observation", &fields, total).await?;
            assert_eq!(records(&event), std::slice::from_ref(&chart), "{event}");
        }
    }
    let fields = [("patient", &*id), ("code", "unheard-of")];
    let event = event_of_count((&client, &officer), "Observation", &fields, 0).await?;
    assert_eq!(records(&event), [chart], "{event}");
    Ok(())
}

#[tokio::test]
async fn a_search_by_ids_names_each_resource_that_it_compared() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let officer = officer(&running).await?;
    let (patient, other) = (fhir::patient(), fhir::patient());
    let (one, two) = (fhir::observation(&patient), fhir::observation(&other));
    store(&client, &[&patient, &other, &one, &two]).await?;
    let ids = format!(
        "{},{},{}",
        fhir::id(&one),
        fhir::id(&two),
        fhir::random_id()
    );
    let named = |observation: &Value, patient: &Value| json!({"kind": "Observation", "id": observation["id"], "patient": patient["id"]});
    let mut expected = vec![named(&one, &patient), named(&two, &other)];
    expected.sort_by_key(Value::to_string);
    let clients = (&client, &officer);
    for (condition, total) in [(("code", "8867-4"), 2), (("code", "unheard-of"), 0)] {
        for count in COUNTS {
            let fields = [("_id", &*ids), condition, count];
            let event = event_of_count(clients, "Observation", &fields, total).await?;
            assert_eq!(records(&event), expected, "{event}");
        }
    }
    // What is shown is named with its version, and once.
    let fields = [("_id", &*ids), ("_count", "1")];
    let shown = search(&client, "Observation", &fields).await?;
    let events = audit_trail::latest_events(&officer).await?;
    let event = audit_trail::event_of_request(&events, shown.header("x-request-id"));
    let event = event.context("an event")?;
    assert_eq!(records(event), expected, "{event}");
    assert_eq!(event["records"][0]["version"], 1, "{event}");
    assert!(event["records"][1]["version"].is_null(), "{event}");
    Ok(())
}

#[tokio::test]
async fn a_count_of_few_patients_names_them_and_one_of_many_their_number() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let officer = officer(&running).await?;
    let clients = (&client, &officer);
    let family = unique_word();
    let named = |given: &str| {
        let mut patient = fhir::patient();
        patient["name"] = json!([{"family": family, "given": [given]}]);
        patient
    };
    let few: Vec<_> = (0..3).map(|_| named("Few")).collect();
    let many: Vec<_> = (0..201).map(|_| named("Many")).collect();
    let all: Vec<_> = few.iter().chain(&many).collect();
    store(&client, &all).await?;
    let any = [json!({"kind": "Patient", "id": null, "patient": null})];
    let mut expected: Vec<_> = few
        .iter()
        .map(|it| json!({"kind": "Patient", "id": it["id"], "patient": it["id"]}))
        .collect();
    expected.sort_by_key(Value::to_string);
    for count in COUNTS {
        let of = |given: &'static str| [("family", &*family), ("given", given), count];
        let event = event_of_count(clients, "Patient", &of("few"), 3).await?;
        assert_eq!(records(&event), expected, "{event}");
        assert!(event["suppressed"].is_null(), "{event}");
        let event = event_of_count(clients, "Patient", &of("many"), 201).await?;
        assert_eq!(records(&event), any, "{event}");
        assert_eq!(event["suppressed"], 201, "{event}");
        let event = event_of_count(clients, "Patient", &of("none"), 0).await?;
        assert_eq!(records(&event), any, "{event}");
        // A patient that is named by id is named in the event, also if the other conditions are not met.
        let id = fhir::id(&few[0]).to_string();
        let fields = [("_id", &*id), ("family", "Unheardof"), count];
        let event = event_of_count(clients, "Patient", &fields, 0).await?;
        let sought = json!({"kind": "Patient", "id": id, "patient": id});
        assert_eq!(records(&event), [sought], "{event}");
    }
    let page = officer.get("/audit").await?.expect_status(200)?;
    assert!(page.text().contains("201 matches, counted only"));
    Ok(())
}
