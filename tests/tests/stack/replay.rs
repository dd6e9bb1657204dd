//! Rows of a chart that were genuine earlier, or are genuine elsewhere, are not accepted as the
//! current ones.

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::RunningStack;
use tests::fhir;
use uuid::Uuid;

use super::attack::Change;
use super::attack::Chart;
use super::attack::Failures;
use super::attack::Fixture;
use super::attack::amended;
use super::attack::hexed;
use super::attack::put;

/// The columns of a head beside its key and `deleted`, which is NULL in every head here.
const HEAD_COLUMNS: [&str; 6] = [
    "version",
    "version_row",
    "version_digest",
    "updated_at",
    "mac_key",
    "mac",
];

/// The statement that restores the current columns of a head.
async fn restore_head_statement(fixture: &mut Fixture, id: Uuid) -> anyhow::Result<String> {
    let mut set = Vec::new();
    for column in HEAD_COLUMNS {
        let (read, quoted) = match column {
            "version" | "updated_at" => (format!("CAST({column} AS CHAR)"), true),
            _ => (column.to_owned(), false),
        };
        let sql = format!("SELECT {read} FROM resources WHERE id = ?");
        let value = fixture.attacker.bytes(&sql, &[id.as_bytes()]).await?;
        set.push(if quoted {
            format!("{column} = '{}'", String::from_utf8(value)?)
        } else {
            format!("{column} = {}", hexed(value))
        });
    }
    Ok(format!(
        "UPDATE resources SET {} WHERE id = {}",
        set.join(", "),
        hexed(id)
    ))
}

/// A chart, an observation of it, and the change that reverts that observation's head to version 1.
async fn reverted_head(fixture: &mut Fixture) -> anyhow::Result<(Chart, Value, Change)> {
    let chart = Chart::stored(&fixture.clinician).await?;
    let victim = fhir::observation(&chart.patient);
    put(&fixture.clinician, &victim).await?.expect_status(200)?;
    let first = restore_head_statement(fixture, fhir::id(&victim)).await?;
    let victim = amended(&victim);
    put(&fixture.clinician, &victim).await?.expect_status(200)?;
    let second = restore_head_statement(fixture, fhir::id(&victim)).await?;
    Ok((chart, victim, Change::new(first, second)))
}

#[tokio::test]
async fn a_reverted_head_is_neither_read_nor_written_and_a_restored_one_works_again()
-> anyhow::Result<()> {
    let mut fixture = Fixture::on(RunningStack::shared()?).await?;
    let (chart, victim, replay) = reverted_head(&mut fixture).await?;
    let client = fixture.clinician.clone();
    let next = amended(&victim);
    let path = format!("/fhir/{}", fhir::reference(&victim));
    let attempt = async {
        let (read, written) = (client.get(&path).await?, put(&client, &next).await?);
        Ok([read, written, chart.page(&client).await?])
    };
    let responses = replay.during(&mut fixture.attacker, attempt).await?;
    let [read, written, page] = &responses;
    for (what, response) in [("read", read), ("write", written)] {
        let refused = fixture.running.expect_refused(response, &["resources"]);
        refused.await.context(what)?;
    }
    let partial = fixture.running.expect_partial(page, &["resources"]);
    partial.await.context("chart")?;
    let read = client.read("Observation", fhir::id(&victim)).await?;
    assert_eq!(fhir::without_server_meta(&read), victim);
    let written = put(&client, &next).await?.expect_status(200)?;
    assert_eq!(written.json()?["entry"][0]["response"]["etag"], "W/\"3\"");
    chart.expect_complete(&client).await
}

#[tokio::test]
async fn a_reverted_head_whose_newer_version_is_hidden_is_not_written() -> anyhow::Result<()> {
    let mut fixture = Fixture::on(RunningStack::shared()?).await?;
    let (chart, victim, replay) = reverted_head(&mut fixture).await?;
    let newest = format!("id = {} AND version = 2", hexed(fhir::id(&victim)));
    let hidden = Change::hide("resource_versions", fixture.organization, &newest);
    let client = fixture.clinician.clone();
    let next = amended(&victim);
    let attempt = async {
        let page = chart.page(&client).await?;
        Ok((page, put(&client, &next).await?))
    };
    let change = replay.and(hidden);
    let (page, written) = change.during(&mut fixture.attacker, attempt).await?;
    let tables = ["resources", "resource_versions"];
    let mut failures = Failures::default();
    failures.note(
        "chart",
        fixture.running.expect_partial(&page, &tables).await,
    );
    failures.note(
        "write",
        fixture.running.expect_refused(&written, &tables).await,
    );
    let later = put(&client, &next).await?;
    failures.note("a later write", later.expect_status(200).map(|_answer| ()));
    failures.note("afterwards", chart.expect_complete(&client).await);
    failures.into_result()
}

#[tokio::test]
async fn a_hidden_or_reverted_record_is_not_written_while_its_versions_are_hidden()
-> anyhow::Result<()> {
    let mut fixture = Fixture::on(RunningStack::shared()?).await?;
    let (chart, victim, replay) = reverted_head(&mut fixture).await?;
    let client = fixture.clinician.clone();
    let other = fhir::observation(&chart.patient);
    let response = client.bundle(&fhir::transaction(&[&other])).await?;
    response.expect_status(200)?;
    let here = fixture.organization;
    let newest = format!("id = {} AND version = 2", hexed(fhir::id(&victim)));
    let reverted_head = replay.and(Change::hide("resource_versions", here, &newest));
    let of_it = format!("id = {}", hexed(fhir::id(&other)));
    let hides = |table| Change::hide(table, here, &of_it);
    let hidden = hides("resources").and(hides("resource_versions"));
    let mut failures = Failures::default();
    for (what, change, written) in [
        ("put back", reverted_head, amended(&victim)),
        ("hidden", hidden, amended(&other)),
    ] {
        let attempt = put(&client, &written);
        let response = change.during(&mut fixture.attacker, attempt).await?;
        failures.note(
            what,
            fixture
                .running
                .expect_refused(&response, &["resources"])
                .await,
        );
        let later = put(&client, &written).await?.expect_status(200);
        failures.note(format!("{what}, later"), later.map(|_answer| ()));
        failures.note(
            format!("{what}, afterwards"),
            chart.expect_complete(&client).await,
        );
    }
    failures.into_result()
}

#[tokio::test]
async fn a_record_that_is_moved_to_another_owner_or_kind_of_owner_is_refused() -> anyhow::Result<()>
{
    let mut fixture = Fixture::on(RunningStack::shared()?).await?;
    let client = fixture.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let other = Chart::stored(&client).await?;
    let victim = &chart.observations[0];
    let id = hexed(fhir::id(victim));
    let path = format!("/fhir/{}", fhir::reference(victim));
    let (mine, theirs) = (fhir::id(&chart.patient), fhir::id(&other.patient));
    let here = format!("owner_kind = 1, owner = {}", hexed(mine));
    let mut failures = Failures::default();
    for (what, there) in [
        ("another patient", format!("owner = {}", hexed(theirs))),
        ("another kind", "owner_kind = 2".to_owned()),
        (
            "the organization",
            format!("owner_kind = 2, owner = {}", hexed(fixture.organization)),
        ),
        ("no kind", "owner_kind = 9".to_owned()),
    ] {
        let set = |table: &str, set: &str| format!("UPDATE {table} SET {set} WHERE id = {id}");
        let moves = |table| Change::new(set(table, &there), set(table, &here));
        let (head, version) = (moves("resources"), moves("resource_versions"));
        let tables = ["resources", "resource_versions"];
        for (part, change) in [
            ("both", head.clone().and(version.clone())),
            ("the head", head),
            ("the version", version),
        ] {
            let attempt = async {
                let read = client.get(&path).await?;
                let written = put(&client, &amended(victim)).await?;
                Ok((read, written, chart.page(&client).await?))
            };
            let (read, written, page) = change.during(&mut fixture.attacker, attempt).await?;
            let what = format!("{part} given to {what}");
            for (does, response) in [("read", read), ("write", written)] {
                let refused = fixture.running.expect_refused(&response, &tables).await;
                failures.note(format!("{what}: {does}"), refused);
            }
            let partial = fixture.running.expect_partial(&page, &tables).await;
            failures.note(format!("{what}: chart"), partial);
        }
    }
    failures.note("afterwards", chart.expect_complete(&client).await);
    failures.note("the other afterwards", other.expect_complete(&client).await);
    failures.into_result()
}

/// A resource of the directory, whose owner is the organization.
fn practitioner() -> Value {
    json!({
        "resourceType": "Practitioner",
        "id": fhir::random_id(),
        "name": [{"family": "Practice", "given": ["Prudence"]}]
    })
}

#[tokio::test]
async fn a_directory_record_that_is_moved_to_a_patient_is_refused() -> anyhow::Result<()> {
    let mut fixture = Fixture::on(RunningStack::shared()?).await?;
    let client = fixture.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let victim = practitioner();
    put(&client, &victim).await?.expect_status(200)?;
    let (id, patient) = (hexed(fhir::id(&victim)), hexed(fhir::id(&chart.patient)));
    let set = |table: &str, kind: u8, owner: &str| {
        format!("UPDATE {table} SET owner_kind = {kind}, owner = {owner} WHERE id = {id}")
    };
    let home = hexed(fixture.organization);
    let moves = |table| Change::new(set(table, 1, &patient), set(table, 2, &home));
    let change = moves("resources").and(moves("resource_versions"));
    let path = format!("/fhir/{}", fhir::reference(&victim));
    let attempt = async { Ok((client.get(&path).await?, chart.page(&client).await?)) };
    let (read, page) = change.during(&mut fixture.attacker, attempt).await?;
    let running = &fixture.running;
    running.expect_refused(&read, &["resources"]).await?;
    running.expect_partial(&page, &["resources"]).await?;
    assert!(!page.text().contains("Prudence"), "{}", page.text());
    client.get(&path).await?.expect_status(200)?;
    chart.expect_complete(&client).await
}
