//! The audit events of the interactions: one for each request, with action, records, versions and outcome.

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::TestResponse;
use tests::audit_trail;
use tests::fhir;

use super::api::JSON_PATCH;
use super::api::clinician;
use super::api::created;
use super::api::officer;
use super::api::path;
use super::api::practitioner;
use super::api::put;
use super::api::search;
use super::api::send;
use super::api::store;

/// The events of a response's request.
async fn events(officer: &Client, response: &TestResponse) -> anyhow::Result<Vec<Value>> {
    let request = response.header("x-request-id");
    let all = audit_trail::latest_events(officer).await?;
    Ok(all
        .into_iter()
        .filter(|event| event["request"] == request)
        .collect())
}

/// A record of an event: kind, id and version.
type Named = (String, String, Option<u64>);

/// The records that an event names, sorted.
fn records(event: &Value) -> Vec<Named> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = event["records"].as_array().into_iter().flatten();
    let record = |it: &Value| (text(&it["kind"]), text(&it["id"]), it["version"].as_u64());
    let mut records: Vec<_> = all.map(record).collect();
    records.sort();
    records
}

/// A resource in a version, as an event names it.
fn named(resource: &Value, version: u64) -> Named {
    let kind = resource["resourceType"].as_str().unwrap_or_default();
    (
        kind.to_owned(),
        fhir::id(resource).to_string(),
        Some(version),
    )
}

/// What the event of a search without results names: the type.
fn nothing() -> Named {
    ("Observation".to_owned(), String::new(), None)
}

/// Requires that a request left one event: with this action and outcome, and these records.
async fn expect_one(
    officer: &Client,
    response: &TestResponse,
    (action, outcome): (&str, &str),
    mut expected: Vec<Named>,
) -> anyhow::Result<()> {
    let events = events(officer, response).await?;
    anyhow::ensure!(events.len() == 1, "{} events: {events:?}", events.len());
    let event = &events[0];
    anyhow::ensure!(
        event["action"] == action && event["outcome"] == outcome,
        "{event}"
    );
    expected.sort();
    let found = records(event);
    anyhow::ensure!(found == expected, "{found:?} instead of {expected:?}");
    Ok(())
}

#[tokio::test]
async fn each_write_leaves_one_event_with_the_version() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let officer = officer(&running).await?;
    let patient = created(&client, &fhir::patient()).await?;
    let sent = fhir::observation(&patient);
    let create = send(&client, "POST", "/fhir/Observation", &[], Some(&sent)).await?;
    let observation = create.json()?;
    // The trail shows the latest events only, so each is looked up at once.
    let expect = async |what: &'static str, response: TestResponse, version: u64| {
        let expected = vec![named(&observation, version)];
        let checked = expect_one(&officer, &response, ("write", "success"), expected);
        checked.await.context(what)
    };
    expect("create", create.expect_status(201)?, 1).await?;
    let path = path(&observation);
    let mut amended = observation.clone();
    amended["status"] = json!("amended");
    for what in ["update", "unchanged"] {
        expect(what, put(&client, &amended).await?.expect_status(200)?, 2).await?;
    }
    let operations = json!([{"op": "replace", "path": "/status", "value": "final"}]);
    let headers = [("content-type", JSON_PATCH), ("prefer", "return=minimal")];
    let patched = send(&client, "PATCH", &path, &headers, Some(&operations)).await?;
    expect("patch", patched.expect_status(200)?, 3).await?;
    let stale = [("if-match", "W/\"1\"")];
    let stale = send(&client, "DELETE", &path, &stale, None).await?;
    // Beyond the caller's budget a refusal is counted only.
    for refused in events(&officer, &stale.expect_status(412)?).await? {
        assert_eq!(refused["outcome"], "refused", "{refused}");
        let id = fhir::id(&observation);
        assert!(audit_trail::names_record(&refused, "Observation", id));
    }
    let delete = send(&client, "DELETE", &path, &[], None).await?;
    expect("delete", delete.expect_status(204)?, 4).await?;
    let restore = put(&client, &observation).await?.expect_status(201)?;
    expect("restore", restore, 5).await
}

#[tokio::test]
async fn each_read_leaves_one_event_with_the_versions_that_it_disclosed() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let officer = officer(&running).await?;
    let patient = created(&client, &fhir::patient()).await?;
    let observation = created(&client, &fhir::observation(&patient)).await?;
    let mut amended = observation.clone();
    for status in ["amended", "corrected"] {
        amended["status"] = json!(status);
        put(&client, &amended).await?.expect_status(200)?;
    }
    let path = path(&observation);
    let id = fhir::id(&patient);
    let of = |versions: &[u64]| {
        versions
            .iter()
            .map(|it| named(&observation, *it))
            .collect::<Vec<_>>()
    };
    for (path, versions) in [
        (path.clone(), of(&[3])),
        (format!("{path}?_elements=status"), of(&[3])),
        (format!("{path}/_history/2"), of(&[2])),
        (format!("{path}/_history"), of(&[1, 2, 3])),
        (format!("{path}/_history?_count=2"), of(&[2, 3])),
        (
            format!("/fhir/Observation/_history?patient={id}"),
            of(&[1, 2, 3]),
        ),
    ] {
        for method in ["GET", "HEAD"] {
            let read = send(&client, method, &path, &[], None)
                .await?
                .expect_status(200)?;
            let checked = expect_one(&officer, &read, ("read", "success"), versions.clone());
            checked.await.with_context(|| format!("{method} {path}"))?;
        }
    }
    send(&client, "DELETE", &path, &[], None)
        .await?
        .expect_status(204)?;
    let gone = client.get(&path).await?.expect_status(410)?;
    expect_one(&officer, &gone, ("read", "success"), of(&[4])).await?;
    let history = client
        .get(&format!("{path}/_history"))
        .await?
        .expect_status(200)?;
    expect_one(&officer, &history, ("read", "success"), of(&[1, 2, 3, 4])).await?;
    for path in [
        format!("/fhir/Observation/{}", fhir::random_id()),
        format!("/fhir/Observation/{}/_history/1", fhir::random_id()),
        format!("/fhir/Observation/{}/_history", fhir::random_id()),
        format!("{path}/_history/9"),
    ] {
        let missing = client.get(&path).await?.expect_status(404)?;
        let events = events(&officer, &missing).await?;
        assert_eq!(events.len(), 1, "{path}: {events:?}");
        assert_eq!(events[0]["outcome"], "not-found", "{path}: {events:?}");
    }
    Ok(())
}

/// Three observations of a patient by one performer.
fn performed_observations(patient: &Value, performer: &Value) -> [Value; 3] {
    let performers = json!([{"reference": fhir::reference(performer)}]);
    [0, 1, 2].map(|_| {
        let mut observation = fhir::observation(patient);
        observation["performer"] = performers.clone();
        observation
    })
}

/// Requires that a search succeeds and leaves one event with these records.
async fn expect_search(
    (client, officer): (&Client, &Client),
    kind: &str,
    fields: &[(&str, &str)],
    expected: Vec<Named>,
) -> anyhow::Result<()> {
    let found = search(client, kind, fields).await?.expect_status(200)?;
    let checked = expect_one(officer, &found, ("search", "success"), expected);
    checked.await.with_context(|| format!("{kind} {fields:?}"))
}

#[tokio::test]
async fn a_search_leaves_one_event_with_each_resource_that_it_showed() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let officer = officer(&running).await?;
    let patient = fhir::patient();
    let performer = practitioner();
    let observations = performed_observations(&patient, &performer);
    let [one, two, three] = &observations;
    store(&client, &[&patient, &performer, one, two, three]).await?;
    let id = fhir::id(&patient).to_string();
    let all = observations.each_ref().map(|it| named(it, 1)).to_vec();
    let mut sorted = observations.to_vec();
    sorted.sort_by_key(fhir::id);
    let first = vec![named(&sorted[0], 1)];
    let with = |others: &[&Value]| {
        let mut records = first.clone();
        records.extend(others.iter().map(|it| named(it, 1)));
        records
    };
    let one_by_id = [("_count", "1"), ("_sort", "_id")];
    for (fields, expected) in [
        (vec![], all.clone()),
        (vec![("code", "8867-4")], all),
        (vec![("code", "unheard-of")], vec![nothing()]),
        (vec![("_count", "0")], vec![nothing()]),
        (one_by_id.to_vec(), first.clone()),
        (
            [&one_by_id[..], &[("_include", "Observation:subject")]].concat(),
            with(&[&patient]),
        ),
        (
            [
                &one_by_id[..],
                &[
                    ("_include", "Observation:subject"),
                    ("_include", "Observation:performer"),
                ],
            ]
            .concat(),
            with(&[&patient, &performer]),
        ),
    ] {
        let fields = [&[("patient", &*id)], &fields[..]].concat();
        expect_search((&client, &officer), "Observation", &fields, expected).await?;
    }
    let (clients, of_patient) = ((&client, &officer), vec![named(&patient, 1)]);
    expect_search(clients, "Patient", &[("_id", &id)], of_patient).await?;
    let name = [(
        "family",
        performer["name"][0]["family"].as_str().unwrap_or_default(),
    )];
    let of_performer = vec![named(&performer, 1)];
    expect_search(clients, "Practitioner", &name, of_performer).await
}

#[tokio::test]
async fn the_disclosure_of_a_patched_resource_is_on_record() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let officer = officer(&running).await?;
    let patient = created(&client, &fhir::patient()).await?;
    let operations = json!([{"op": "replace", "path": "/gender", "value": "other"}]);
    let patched = super::api::patch(&client, &path(&patient), &operations).await?;
    let patched = patched.expect_status(200)?;
    let events = events(&officer, &patched).await?;
    let mut actions: Vec<_> = events
        .iter()
        .map(|event| event["action"].to_string())
        .collect();
    actions.sort();
    assert_eq!(actions, ["\"read\"", "\"write\""], "{events:?}");
    for event in &events {
        assert_eq!(records(event), [named(&patient, 2)], "{event}");
        assert_eq!(event["outcome"], "success");
    }
    Ok(())
}

#[tokio::test]
async fn a_transaction_leaves_one_event_of_its_writes_and_one_of_each_read() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let officer = officer(&running).await?;
    let patient = created(&client, &fhir::patient()).await?;
    let removed = created(&client, &fhir::observation(&patient)).await?;
    let mut amended = created(&client, &fhir::observation(&patient)).await?;
    amended["status"] = json!("amended");
    let added = fhir::observation(&patient);
    let entry = |method: &str, url: String, resource: Option<&Value>| {
        let request = json!({"method": method, "url": url});
        resource.map_or_else(
            || json!({"request": request}),
            |resource| json!({"request": request, "resource": resource}),
        )
    };
    let entries = json!([
        entry("DELETE", fhir::reference(&removed), None),
        entry("PUT", fhir::reference(&amended), Some(&amended)),
        entry("PUT", fhir::reference(&added), Some(&added)),
        entry("GET", fhir::reference(&amended), None),
        entry(
            "GET",
            format!("{}/_history/1", fhir::reference(&amended)),
            None
        ),
        entry(
            "GET",
            format!("Observation?patient={}", fhir::id(&patient)),
            None
        )
    ]);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let done = client.bundle(&bundle).await?.expect_status(200)?;
    let mut found: Vec<_> = events(&officer, &done)
        .await?
        .iter()
        .map(|event| (event["action"].clone(), records(event)))
        .collect();
    found.sort_by_key(|(action, records)| (action.to_string(), records.clone()));
    let sorted = |mut records: Vec<Named>| {
        records.sort();
        records
    };
    let expected = [
        (json!("read"), vec![named(&amended, 1)]),
        (json!("read"), vec![named(&amended, 2)]),
        (
            json!("search"),
            sorted(vec![named(&amended, 2), named(&added, 1)]),
        ),
        (
            json!("write"),
            sorted(vec![
                named(&removed, 2),
                named(&amended, 2),
                named(&added, 1),
            ]),
        ),
    ];
    assert_eq!(found, expected);
    Ok(())
}

#[tokio::test]
async fn the_event_of_a_conditional_create_that_finds_its_match_names_the_version()
-> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let officer = officer(&running).await?;
    for make in [practitioner, fhir::patient] {
        let mut sent = make();
        let value = super::api::unique_word();
        sent["identifier"][0]["value"] = json!(value);
        let mut stored = created(&client, &sent).await?;
        stored["active"] = json!(true);
        put(&client, &stored).await?.expect_status(200)?;
        let request = json!({
            "method": "POST",
            "url": sent["resourceType"],
            "ifNoneExist": format!("identifier={value}")
        });
        let entry = json!({"resource": sent, "request": request});
        for kind in ["transaction", "batch"] {
            let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [entry]});
            let done = client.bundle(&bundle).await?.expect_status(200)?;
            let found = done.json()?;
            let location = super::api::response(&found, 0)["location"].clone();
            let expected = format!("{}/_history/2", fhir::reference(&stored));
            assert!(
                location.as_str().is_some_and(|it| it.ends_with(&*expected)),
                "{found}"
            );
            let records = vec![named(&stored, 2)];
            expect_one(&officer, &done, ("search", "success"), records).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_change_of_owner_is_an_event_of_the_patient_whose_record_it_is()
-> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let officer = officer(&running).await?;
    let (owner, other) = (fhir::patient(), fhir::patient());
    let observation = fhir::observation(&owner);
    store(&client, &[&owner, &other, &observation]).await?;
    let mut moved = observation.clone();
    moved["subject"]["reference"] = json!(fhir::reference(&other));
    for headers in [&[][..], &[("if-match", "W/\"7\"")]] {
        let path = path(&moved);
        let refused = send(&client, "PUT", &path, headers, Some(&moved)).await?;
        assert!(refused.status == 409 || refused.status == 412);
        // Beyond the caller's budget a refusal is counted only.
        for event in events(&officer, &refused).await? {
            assert_eq!(event["outcome"], "refused", "{event}");
            let patient = fhir::id(&owner).to_string();
            assert_eq!(event["records"][0]["patient"], patient, "{event}");
        }
    }
    Ok(())
}
