//! A damaged row takes out only itself: the rest is shown, the damaged record is named on the page, in
//! the audit trail and to FHIR clients, and reported.

use anyhow::Context;
use serde_json::Value;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::audit_trail;
use tests::fhir;
use uuid::Uuid;

use super::attack::Change;
use super::attack::Fixture;
use super::attack::hexed;
use super::attack::stored_patient;

/// Observations of the chart.
const OBSERVATIONS: usize = 48;

/// The change that flips the last bit of a column in the rows that meet a condition.
fn flip(table: &str, column: &str, condition: &str) -> Change {
    let sql = format!(
        "UPDATE {table} SET {column} = CONCAT(LEFT({column}, LENGTH({column}) - 1), \
         CHAR(ASCII(RIGHT({column}, 1)) ^ 1 USING binary)) WHERE {condition}"
    );
    Change::new(sql.clone(), sql)
}

/// The condition for the rows of a resource.
fn rows_of(resource: &Value) -> String {
    format!("id = {}", hexed(fhir::id(resource)))
}

/// Stores a patient with observations.
async fn stored_chart(client: &Client) -> anyhow::Result<(Value, Vec<Value>)> {
    let patient = fhir::patient();
    let observations = (0..OBSERVATIONS).map(|_| fhir::observation(&patient));
    let observations: Vec<Value> = observations.collect();
    let all: Vec<&Value> = std::iter::once(&patient).chain(&observations).collect();
    let stored = client.bundle(&fhir::transaction(&all)).await?;
    stored.expect_status(200)?;
    Ok((patient, observations))
}

/// Requires that the trail has two events of a request: one that names what was disclosed, and
/// another one that names the damaged record.
async fn expect_events(
    officer: &Client,
    response: &TestResponse,
    (kind, shown): (&str, &Value),
    damaged: &Value,
) -> anyhow::Result<()> {
    let events = audit_trail::latest_events(officer).await?;
    let request = response.header("x-request-id");
    let of = |outcome| audit_trail::event_with_outcome(&events, request, outcome);
    let partial = of("partial").context("an event of what was disclosed")?;
    let failed = of("failed").context("an event of what could not be opened")?;
    let damaged_kind = damaged["resourceType"].as_str().context("a type")?;
    let names = |event, kind, resource| audit_trail::names_record(event, kind, fhir::id(resource));
    anyhow::ensure!(names(partial, kind, shown), "{partial}");
    anyhow::ensure!(!names(partial, damaged_kind, damaged), "{partial}");
    anyhow::ensure!(names(failed, damaged_kind, damaged), "{failed}");
    anyhow::ensure!(!names(failed, kind, shown), "{failed}");
    Ok(())
}

/// Requires a searchset of three matches, of which one cannot be opened, as its outcome says.
fn expect_outcome_of(found: &TestResponse, unopened: Uuid) -> anyhow::Result<()> {
    let bundle = found.clone().expect_status(200)?.json()?;
    let entries = bundle["entry"].as_array().context("entries")?;
    let modes: Vec<_> = entries.iter().map(|it| &it["search"]["mode"]).collect();
    assert_eq!(modes, ["match", "match", "outcome"], "{bundle}");
    assert_eq!(bundle["total"], 3, "{bundle}");
    let issue = &bundle["entry"][2]["resource"]["issue"][0];
    assert_eq!(issue["severity"], "warning", "{issue}");
    assert!(issue.to_string().contains(&unopened.to_string()), "{issue}");
    Ok(())
}

#[tokio::test]
async fn one_damaged_record_of_a_chart_hides_no_other() -> anyhow::Result<()> {
    let mut fixture = Fixture::on(RunningStack::shared()?).await?;
    let client = fixture.clinician.clone();
    let officer = fixture
        .running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let (patient, observations) = stored_chart(&client).await?;
    let path = format!("/patients/{}", fhir::id(&patient));
    let victim = &observations[OBSERVATIONS / 2];
    let rows = rows_of(victim);
    for (table, column) in [
        ("resource_versions", "body"),
        ("resource_versions", "mac"),
        ("resource_versions", "row_id"),
        ("resources", "mac"),
        ("resources", "version_digest"),
    ] {
        let what = format!("{table}.{column}");
        let damage = flip(table, column, &rows);
        let page = damage
            .during(&mut fixture.attacker, client.page(&path))
            .await?;
        let tables = ["resources", "resource_versions"];
        let partial = fixture.running.expect_partial(&page, &tables).await;
        partial.with_context(|| what.clone())?;
        let text = page.text();
        assert!(text.contains("Testperson"), "{what}: {text}");
        let shown = text.matches("Heart rate").count();
        assert_eq!(shown, OBSERVATIONS - 1, "{what}");
        let line = format!(
            "<span class=\"record-type\">Observation</span> <span class=\"code\">{}</span>",
            fhir::id(victim)
        );
        assert_eq!(text.matches(&line).count(), 1, "{what}: {text}");
        expect_events(&officer, &page, ("chart", &patient), victim)
            .await
            .context(what)?;
    }
    let whole = client.page(&path).await?.expect_status(200)?.text();
    assert_eq!(whole.matches("Heart rate").count(), OBSERVATIONS);
    assert!(!whole.contains("not complete"), "{whole}");
    Ok(())
}

#[tokio::test]
async fn a_chart_of_which_everything_is_damaged_is_not_an_empty_chart() -> anyhow::Result<()> {
    let mut fixture = Fixture::on(RunningStack::shared()?).await?;
    let client = fixture.clinician.clone();
    let (patient, observations) = stored_chart(&client).await?;
    let path = format!("/patients/{}", fhir::id(&patient));
    let owned = format!("owner = {}", hexed(fhir::id(&patient)));
    let damage = flip("resource_versions", "body", &owned);
    let page = damage
        .during(&mut fixture.attacker, client.page(&path))
        .await?;
    let tables = ["resource_versions"];
    fixture.running.expect_partial(&page, &tables).await?;
    let text = page.text();
    for absent in ["Testperson", "Heart rate", "Nothing recorded"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
    let missing = text.contains("The patient’s own record could not be opened");
    assert!(
        missing && text.contains("49 records could not be opened"),
        "{text}"
    );
    for observation in &observations {
        assert!(text.contains(&fhir::id(observation).to_string()));
    }
    client.page(&path).await?.expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn one_damaged_patient_hides_no_other_from_lists_and_searches() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let mut fixture = Fixture::on(isolated.running()?).await?;
    let client = fixture.clinician.clone();
    let officer = fixture
        .running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let mut patients = Vec::new();
    for given in ["Ada", "Berta", "Clara"] {
        let family = format!("Damageable{given}");
        patients.push(stored_patient(&client, &family).await?);
    }
    let (victim, other) = (&patients[1], &patients[0]);
    let id = fhir::id(victim);
    client.page("/patients").await?.expect_status(200)?;
    let of_patient = format!("patient = {}", hexed(id));
    let hidden = Change::hide("demographics", fixture.organization, &of_patient);
    for (what, damage) in [
        // First: a roster that reads a patient again takes a hidden row for a deleted one.
        ("hidden", hidden),
        ("mac", flip("demographics", "mac", &of_patient)),
        ("field", flip("demographics", "family", &of_patient)),
    ] {
        let attempt = client.page("/patients");
        let page = damage.during(&mut fixture.attacker, attempt).await?;
        let partial = fixture.running.expect_partial(&page, &["demographics"]);
        partial.await.context(what)?;
        let text = page.text();
        assert!(text.contains("DamageableAda") && text.contains("DamageableClara"));
        assert!(!text.contains("DamageableBerta"), "{what}: {text}");
        assert!(text.contains(&id.to_string()), "{what}: {text}");
        expect_events(&officer, &page, ("Patient", other), victim)
            .await
            .context(what)?;
    }
    for (table, column) in [
        ("resources", "mac"),
        ("resource_versions", "body"),
        ("resource_versions", "row_id"),
    ] {
        let what = format!("{table}.{column}");
        let condition = format!("kind = 'Patient' AND {}", rows_of(victim));
        let damage = flip(table, column, &condition);
        let attempt = client.search(&[("family", "Damageable")]);
        let found = damage.during(&mut fixture.attacker, attempt).await?;
        expect_outcome_of(&found, id).with_context(|| what.clone())?;
        let tables = ["resources", "resource_versions"];
        fixture.running.expect_reported(&found, &tables).await?;
        expect_events(&officer, &found, ("Patient", other), victim)
            .await
            .context(what)?;
    }
    assert_eq!(client.found(&[("family", "Damageable")]).await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn one_damaged_entry_of_a_roster_leaves_the_others_in_it() -> anyhow::Result<()> {
    let mut isolated = IsolatedStack::start().await?;
    let mut fixture = Fixture::on(isolated.running()?).await?;
    let client = fixture.clinician.clone();
    let one = stored_patient(&client, "Rosteredone").await?;
    let other = stored_patient(&client, "Rosteredother").await?;
    let id = fhir::id(&one);
    let damage = flip(
        "demographics",
        "roster_entry",
        &format!("patient = {}", hexed(id)),
    );
    let stack = &mut isolated.stack;
    // A cold app builds the roster from the damaged entry.
    let attempt = async {
        stack.stop("app").await?;
        stack.start("app").await?;
        let listed = client.page("/patients").await?;
        Ok((listed, client.search(&[("family", "Rostered")]).await?))
    };
    let (listed, found) = damage.during(&mut fixture.attacker, attempt).await?;
    let partial = fixture.running.expect_partial(&listed, &["demographics"]);
    partial.await?;
    let text = listed.text();
    assert!(
        text.contains("Rosteredother") && text.contains(&id.to_string()),
        "{text}"
    );
    let bundle = found.clone().expect_status(200)?.json()?;
    assert_eq!(
        bundle["entry"][0]["resource"]["id"], other["id"],
        "{bundle}"
    );
    assert_eq!(bundle["entry"][1]["search"]["mode"], "outcome", "{bundle}");
    fixture
        .running
        .expect_reported(&found, &["demographics"])
        .await?;
    let whole = client.page("/patients").await?.expect_status(200)?.text();
    assert!(!whole.contains("cannot be shown"), "{whole}");
    Ok(())
}

#[tokio::test]
async fn the_chart_of_a_replaced_patient_leads_to_the_other() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let client = running.clinician(Clinic::Riverside).await?;
    let (mut replaced, replacing) = (fhir::patient(), fhir::patient());
    replaced["active"] = false.into();
    let other = serde_json::json!({"reference": fhir::reference(&replacing)});
    replaced["link"] = serde_json::json!([{"other": other, "type": "replaced-by"}]);
    let both = fhir::transaction(&[&replacing, &replaced]);
    client.bundle(&both).await?.expect_status(200)?;
    let chart = |patient: &Value| format!("/patients/{}", fhir::id(patient));
    let page = client.page(&chart(&replaced)).await?.expect_status(200)?;
    let link = format!("href=\"{}\"", chart(&replacing));
    let text = page.text();
    assert!(
        text.contains("was replaced") && text.contains(&link),
        "{text}"
    );
    let page = client.page(&chart(&replacing)).await?.expect_status(200)?;
    assert!(!page.text().contains("was replaced"));
    Ok(())
}
