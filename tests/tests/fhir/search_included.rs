//! Included resources that are left out of a page: the page has a notice, and those that are damaged are reported.

use serde_json::Value;
use serde_json::json;
use tests::Attacker;
use tests::RunningStack;
use tests::TestResponse;
use tests::audit_trail;
use tests::fhir;
use uuid::Uuid;

use super::api::clinician;
use super::api::entries;
use super::api::ids_of;
use super::api::matches;
use super::api::officer;
use super::api::practitioner;
use super::api::search;
use super::api::searchset;
use super::api::store;

/// The issues of the outcomes of a searchset.
fn notices(bundle: &Value) -> Vec<Value> {
    let entries = entries(bundle);
    let outcomes = entries
        .iter()
        .filter(|it| it["search"]["mode"] == "outcome");
    let issues = outcomes.filter_map(|it| it["resource"]["issue"].as_array().cloned());
    issues.flatten().collect()
}

/// An observation of a patient that refers to resources by an element.
fn referring<'r>(
    patient: &Value,
    element: &str,
    references: impl IntoIterator<Item = &'r str>,
) -> Value {
    let mut observation = fhir::observation(patient);
    let references = references.into_iter();
    observation[element] = references.map(|it| json!({"reference": it})).collect();
    observation
}

/// Changes the last bit of a stored body, or changes it back.
async fn flip(attacker: &mut Attacker, id: Uuid) -> anyhow::Result<()> {
    let sql = "UPDATE resource_versions SET body = CONCAT(LEFT(body, LENGTH(body) - 1), \
               CHAR(ASCII(RIGHT(body, 1)) ^ 1 USING binary)) WHERE id = ?";
    let changed = attacker.execute(sql, &[id.as_bytes()]).await?;
    anyhow::ensure!(changed > 0, "no body of {id}");
    Ok(())
}

#[tokio::test]
async fn a_page_says_that_it_does_not_have_all_included_resources() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = fhir::patient();
    let practitioner = practitioner();
    let known = fhir::reference(&practitioner);
    // References to what is not stored are valid, and left out without a notice.
    let others: Vec<_> = (0..200)
        .map(|_| format!("Practitioner/{}", fhir::random_id()))
        .collect();
    let others = || others.iter().map(String::as_str);
    let most = referring(
        &patient,
        "performer",
        [&*known].into_iter().chain(others().skip(1)),
    );
    let more = referring(&patient, "performer", [&*known].into_iter().chain(others()));
    store(&client, &[&patient, &practitioner, &most, &more]).await?;
    for (observation, is_cut) in [(&most, false), (&more, true)] {
        let id = fhir::id(observation).to_string();
        let fields = [("_id", &*id), ("_include", "Observation:performer")];
        let found = searchset(&client, "Observation", &fields).await?;
        assert_eq!(matches(&found), [fhir::id(observation)], "{found}");
        assert_eq!(ids_of(&found, "include"), [fhir::id(&practitioner)]);
        let notices = notices(&found);
        assert_eq!(notices.len(), usize::from(is_cut), "{notices:?}");
        for notice in notices {
            assert_eq!(notice["code"], "too-costly", "{notice}");
            assert_eq!(notice["severity"], "warning", "{notice}");
        }
    }
    Ok(())
}

/// Requires that the events of a search name a record as damaged, or without one that the search succeeded.
async fn expect_named_as_damaged(
    running: &RunningStack,
    response: &TestResponse,
    damaged: Option<&Value>,
) -> anyhow::Result<()> {
    let events = audit_trail::latest_events(&officer(running).await?).await?;
    let request = response.header("x-request-id");
    let of = |outcome| audit_trail::event_with_outcome(&events, request, outcome);
    let Some(damaged) = damaged else {
        anyhow::ensure!(of("success").is_some(), "{events:?}");
        anyhow::ensure!(of("failed").is_none() && of("partial").is_none());
        return Ok(());
    };
    let kind = damaged["resourceType"].as_str().unwrap_or_default();
    let failed = of("failed").cloned().unwrap_or_default();
    let is_named = audit_trail::names_record(&failed, kind, fhir::id(damaged));
    anyhow::ensure!(is_named && of("partial").is_some(), "{failed}");
    Ok(())
}

#[tokio::test]
async fn a_damaged_included_resource_is_listed_and_reported() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let mut attacker = running.attacker().await?;
    let patient = fhir::patient();
    let practitioner = practitioner();
    let observation = referring(&patient, "performer", [&*fhir::reference(&practitioner)]);
    let provenance = json!({
        "resourceType": "Provenance", "id": fhir::random_id(),
        "target": [{"reference": fhir::reference(&patient)}, {"reference": fhir::reference(&observation)}],
        "recorded": "2024-05-06T07:08:09Z",
        "agent": [{"who": {"reference": fhir::reference(&practitioner)}}]
    });
    let all = [&patient, &practitioner, &observation, &provenance];
    store(&client, &all).await?;
    let id = fhir::id(&patient).to_string();
    for (damaged, include) in [
        (&practitioner, ("_include", "Observation:performer")),
        (&patient, ("_include", "Observation:subject")),
        (&provenance, ("_revinclude", "Provenance:target")),
    ] {
        flip(&mut attacker, fhir::id(damaged)).await?;
        let found = search(&client, "Observation", &[("patient", &id), include]).await;
        flip(&mut attacker, fhir::id(damaged)).await?;
        let response = found?.expect_status(200)?;
        let found = response.json()?;
        assert_eq!(matches(&found), [fhir::id(&observation)], "{found}");
        assert!(ids_of(&found, "include").is_empty(), "{found}");
        let notices = notices(&found);
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert_eq!(notices[0]["code"], "incomplete", "{notices:?}");
        let text = notices[0].to_string();
        assert!(text.contains(&fhir::reference(damaged)), "{text}");
        expect_named_as_damaged(&running, &response, Some(damaged)).await?;
        let tables = ["resources", "resource_versions"];
        running.expect_reported(&response, &tables).await?;
        let fields = [("patient", &*id), include];
        let whole = searchset(&client, "Observation", &fields).await?;
        assert_eq!(ids_of(&whole, "include"), [fhir::id(damaged)], "{whole}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_damaged_in_another_chart_is_not_mentioned() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let mut attacker = running.attacker().await?;
    let (patient, other) = (fhir::patient(), fhir::patient());
    let theirs = fhir::observation(&other);
    let ours = referring(&patient, "hasMember", [&*fhir::reference(&theirs)]);
    store(&client, &[&patient, &other, &theirs, &ours]).await?;
    let id = fhir::id(&patient).to_string();
    let fields = [
        ("patient", &*id),
        ("_include", "Observation:has-member"),
        ("_elements", "status"),
    ];
    let whole = searchset(&client, "Observation", &fields).await?;
    flip(&mut attacker, fhir::id(&theirs)).await?;
    let found = search(&client, "Observation", &fields).await;
    flip(&mut attacker, fhir::id(&theirs)).await?;
    let response = found?.expect_status(200)?;
    assert_eq!(response.json()?, whole);
    assert_eq!(matches(&whole), [fhir::id(&ours)], "{whole}");
    assert_eq!(entries(&whole).len(), 1, "{whole}");
    assert!(!whole.to_string().contains(&fhir::id(&theirs).to_string()));
    expect_named_as_damaged(&running, &response, None).await
}
