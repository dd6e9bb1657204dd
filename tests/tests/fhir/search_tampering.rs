//! Searches in a database that was tampered with: summaries are hints, and heads are verified.

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Attacker;
use tests::Client;
use tests::Clinic;
use tests::RunningStack;
use tests::audit_trail;
use tests::fhir;
use uuid::Uuid;

use super::api::clinician;
use super::api::entries;
use super::api::matches;
use super::api::officer;
use super::api::put;
use super::api::search;
use super::api::searchset;
use super::api::store;

/// A chart of two observations with different codes.
struct Chart {
    patient: Value,
    one: Value,
    two: Value,
}

impl Chart {
    async fn stored(client: &Client) -> anyhow::Result<Self> {
        let patient = fhir::patient();
        let coded = |code: &str| {
            let mut observation = fhir::observation(&patient);
            observation["code"]["coding"][0]["code"] = json!(code);
            observation
        };
        let (one, two) = (coded("one-1"), coded("two-2"));
        store(client, &[&patient, &one, &two]).await?;
        Ok(Self { patient, one, two })
    }

    /// Requires that searches by code find what they must.
    async fn expect_right(&self, client: &Client, what: &str) -> anyhow::Result<()> {
        let id = fhir::id(&self.patient).to_string();
        for (code, expected) in [
            ("one-1", vec![fhir::id(&self.one)]),
            ("two-2", vec![fhir::id(&self.two)]),
            ("three-3", vec![]),
        ] {
            let fields = [("patient", &*id), ("code", code)];
            let found = searchset(client, "Observation", &fields).await?;
            anyhow::ensure!(matches(&found) == expected, "{what}: {code}: {found}");
            anyhow::ensure!(found["total"] == expected.len(), "{what}: {found}");
            let complete = entries(&found).len() == expected.len();
            anyhow::ensure!(complete, "{what}: {found}");
        }
        Ok(())
    }
}

/// The id and the sealed value of the summary of a resource.
async fn summary(attacker: &mut Attacker, id: Uuid) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let mut column = async |name: &str| {
        let sql = format!("SELECT {name} FROM search_summaries WHERE id = ?");
        attacker.bytes(&sql, &[id.as_bytes()]).await
    };
    Ok((column("row_id").await?, column("summary").await?))
}

async fn set_summary(
    attacker: &mut Attacker,
    id: Uuid,
    (row, summary): &(Vec<u8>, Vec<u8>),
) -> anyhow::Result<()> {
    let sql = "UPDATE search_summaries SET row_id = ?, summary = ? WHERE id = ?";
    attacker
        .execute(sql, &[row, summary, id.as_bytes()])
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_search_is_right_whatever_the_summaries_are() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let mut attacker = running.attacker().await?;
    let chart = Chart::stored(&client).await?;
    chart.expect_right(&client, "untouched").await?;
    let (one, two) = (fhir::id(&chart.one), fhir::id(&chart.two));
    let of_one = summary(&mut attacker, one).await?;
    let of_two = summary(&mut attacker, two).await?;
    for place in [0, 1, 17, 20, 45, of_one.1.len() / 2, of_one.1.len() - 1] {
        let mut damaged = of_one.clone();
        damaged.1[place] ^= 1;
        set_summary(&mut attacker, one, &damaged).await?;
        chart
            .expect_right(&client, &format!("damaged at {place}"))
            .await?;
    }
    let empty = (of_one.0.clone(), Vec::new());
    set_summary(&mut attacker, one, &empty).await?;
    chart.expect_right(&client, "empty").await?;
    set_summary(&mut attacker, one, &(of_two.0.clone(), of_one.1.clone())).await?;
    chart
        .expect_right(&client, "under another row's id")
        .await?;
    set_summary(&mut attacker, one, &of_two).await?;
    set_summary(&mut attacker, two, &of_one).await?;
    chart.expect_right(&client, "exchanged").await?;
    for id in [one, two] {
        let sql = "DELETE FROM search_summaries WHERE id = ?";
        attacker.execute(sql, &[id.as_bytes()]).await?;
    }
    chart.expect_right(&client, "removed").await
}

#[tokio::test]
async fn the_summary_of_a_former_version_does_not_decide() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let mut attacker = running.attacker().await?;
    let mut chart = Chart::stored(&client).await?;
    let id = fhir::id(&chart.one);
    let former = summary(&mut attacker, id).await?;
    chart.one["code"]["coding"][0]["code"] = json!("three-3");
    put(&client, &chart.one).await?.expect_status(200)?;
    set_summary(&mut attacker, id, &former).await?;
    let patient = fhir::id(&chart.patient).to_string();
    for (code, expected) in [("one-1", vec![]), ("three-3", vec![id])] {
        let fields = [("patient", &*patient), ("code", code)];
        let found = searchset(&client, "Observation", &fields).await?;
        assert_eq!(matches(&found), expected, "{code}: {found}");
    }
    Ok(())
}

/// Requires that a search shows one observation, and says that the result is not complete: in the
/// searchset, in the trail and in the log.
async fn expect_incomplete(
    running: &RunningStack,
    client: &Client,
    chart: &Chart,
    shown: &Value,
) -> anyhow::Result<()> {
    let id = fhir::id(&chart.patient).to_string();
    let found = search(client, "Observation", &[("patient", &id)]).await?;
    let bundle = found.clone().expect_status(200)?.json()?;
    anyhow::ensure!(matches(&bundle) == [fhir::id(shown)], "{bundle}");
    let outcome = entries(&bundle).pop().context("an entry")?;
    anyhow::ensure!(outcome["search"]["mode"] == "outcome", "{bundle}");
    let issue = &outcome["resource"]["issue"][0];
    anyhow::ensure!(
        issue["code"] == "incomplete" && issue["severity"] == "warning",
        "{issue}"
    );
    let events = audit_trail::latest_events(&officer(running).await?).await?;
    let request = found.header("x-request-id");
    let event = audit_trail::event_with_outcome(&events, request, "partial");
    let event = event.context("an event with the outcome partial")?;
    anyhow::ensure!(event["action"] == "search", "{event}");
    anyhow::ensure!(
        audit_trail::names_record(event, "Observation", fhir::id(shown)),
        "{event}"
    );
    running
        .expect_reported(&found, &["resources", "owners", "resource_versions"])
        .await
}

#[tokio::test]
async fn a_hidden_record_makes_the_result_incomplete() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let mut attacker = running.attacker().await?;
    let chart = Chart::stored(&client).await?;
    let here = attacker
        .organization(Clinic::Riverside.first_word())
        .await?;
    let (here, nowhere) = (*here.as_bytes(), [0xFF_u8; 16]);
    let id = fhir::id(&chart.one);
    let sql = "UPDATE resources SET organization = ? WHERE organization = ? AND kind = 'Observation' AND id = ?";
    let moved = attacker
        .execute(sql, &[&nowhere, &here, id.as_bytes()])
        .await?;
    let result = expect_incomplete(&running, &client, &chart, &chart.two).await;
    let back = attacker
        .execute(sql, &[&here, &nowhere, id.as_bytes()])
        .await?;
    assert_eq!((moved, back), (1, 1));
    result?;
    chart.expect_right(&client, "restored").await
}

#[tokio::test]
async fn a_reverted_record_makes_the_result_incomplete() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let mut attacker = running.attacker().await?;
    let mut chart = Chart::stored(&client).await?;
    let id = fhir::id(&chart.one);
    // The head as it was is kept under another organization.
    for sql in [
        "CREATE TEMPORARY TABLE former_head AS SELECT * FROM resources WHERE kind = 'Observation' AND id = ?",
        "CREATE TEMPORARY TABLE former_summary AS SELECT * FROM search_summaries WHERE kind = 'Observation' AND id = ?",
    ] {
        attacker.execute(sql, &[id.as_bytes()]).await?;
    }
    let former = chart.one.clone();
    chart.one["code"]["coding"][0]["code"] = json!("three-3");
    put(&client, &chart.one).await?.expect_status(200)?;
    for sql in [
        "REPLACE INTO resources SELECT * FROM former_head",
        "REPLACE INTO search_summaries (organization, owner_kind, owner, kind, id, row_id, summary) \
         SELECT organization, owner_kind, owner, kind, id, row_id, summary FROM former_summary",
    ] {
        attacker.execute(sql, &[]).await?;
    }
    let patient = fhir::id(&chart.patient).to_string();
    for fields in [
        vec![("patient", &*patient)],
        vec![("patient", &*patient), ("code", "one-1")],
        vec![("patient", &*patient), ("_count", "0")],
    ] {
        let found = search(&client, "Observation", &fields).await?;
        let bundle = found.clone().expect_status(200)?.json()?;
        let outcome = entries(&bundle).pop().context("an entry")?;
        assert_eq!(outcome["search"]["mode"], "outcome", "{fields:?}: {bundle}");
        assert_eq!(
            outcome["resource"]["issue"][0]["code"], "incomplete",
            "{bundle}"
        );
        let shown = entries(&bundle).iter().any(|entry| {
            entry["resource"]["id"] == former["id"] && entry["resource"]["meta"]["versionId"] == "1"
        });
        assert!(
            !shown,
            "the former version is shown as the current one: {bundle}"
        );
    }
    Ok(())
}
