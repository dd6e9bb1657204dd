//! A hidden row permits nothing. On isolated stacks, since some rows belong to a whole
//! organization.

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Clinic;
use tests::IsolatedStack;
use tests::RunningStack;
use tests::fhir;
use uuid::Uuid;

use super::attack::CACHE_EXPIRY;
use super::attack::Change;
use super::attack::Chart;
use super::attack::Failures;
use super::attack::Fixture;
use super::attack::amended;
use super::attack::hexed;
use super::attack::put;

/// Rows of a chart that are hidden, the resource that is written meanwhile, and the tables that may
/// be reported.
struct Omission {
    what: &'static str,
    hidden: fn(&Chart, Uuid) -> Change,
    written: fn(&Chart) -> Value,
    tables: &'static [&'static str],
    /// Whether the rest of the chart is shown: only if its owner's row is there.
    rest_is_shown: bool,
}

/// The condition for the rows of a resource.
fn rows_of(resource: &Value) -> String {
    format!("id = {}", hexed(fhir::id(resource)))
}

/// The condition for the rows of a patient.
fn rows_owned_by(patient: &Value) -> String {
    format!("owner = {}", hexed(fhir::id(patient)))
}

const OMISSIONS: [Omission; 7] = [
    Omission {
        what: "the owner",
        hidden: |chart, here| Change::hide("owners", here, &rows_owned_by(&chart.patient)),
        written: |chart| fhir::observation(&chart.patient),
        tables: &["owners"],
        rest_is_shown: false,
    },
    Omission {
        what: "the newest version",
        hidden: |chart, here| {
            let newest = format!("{} AND version = 2", rows_of(&chart.observations[0]));
            Change::hide("resource_versions", here, &newest)
        },
        written: |chart| amended(&chart.observations[0]),
        tables: &["resources", "resource_versions"],
        rest_is_shown: true,
    },
    Omission {
        what: "one of many heads",
        hidden: |chart, here| Change::hide("resources", here, &rows_of(&chart.observations[1])),
        written: |chart| amended(&chart.observations[1]),
        tables: &["resources", "resource_versions", "owners"],
        rest_is_shown: true,
    },
    Omission {
        what: "one of many heads and its versions",
        hidden: |chart, here| {
            let hides = |table| Change::hide(table, here, &rows_of(&chart.observations[1]));
            hides("resources").and(hides("resource_versions"))
        },
        written: |chart| amended(&chart.observations[1]),
        tables: &["resources", "resource_versions", "owners"],
        rest_is_shown: true,
    },
    Omission {
        what: "the patient's head",
        hidden: |chart, here| Change::hide("resources", here, &rows_of(&chart.patient)),
        written: |chart| chart.patient.clone(),
        tables: &["resources", "resource_versions", "owners"],
        rest_is_shown: true,
    },
    Omission {
        what: "the patient's head and the owner",
        hidden: |chart, here| {
            let owner = Change::hide("owners", here, &rows_owned_by(&chart.patient));
            owner.and(Change::hide("resources", here, &rows_of(&chart.patient)))
        },
        written: |chart| chart.patient.clone(),
        tables: &["keys", "owners"],
        rest_is_shown: false,
    },
    Omission {
        what: "every head",
        hidden: |chart, here| Change::hide("resources", here, &rows_owned_by(&chart.patient)),
        written: |chart| chart.patient.clone(),
        tables: &["resources", "resource_versions", "owners"],
        rest_is_shown: true,
    },
];

#[tokio::test]
async fn a_chart_with_a_hidden_row_is_not_shown_as_complete_and_not_written() -> anyhow::Result<()>
{
    let isolated = IsolatedStack::start().await?;
    let mut fixture = Fixture::on(isolated.running()?).await?;
    let client = fixture.clinician.clone();
    let mut failures = Failures::default();
    for omission in OMISSIONS {
        let chart = Chart::stored(&client).await?;
        let written = (omission.written)(&chart);
        let attempt = async {
            let page = chart.page(&client).await?;
            Ok((page, put(&client, &written).await?))
        };
        let hidden = (omission.hidden)(&chart, fixture.organization);
        let (page, written) = hidden.during(&mut fixture.attacker, attempt).await?;
        let (running, tables) = (&fixture.running, omission.tables);
        let shown = if omission.rest_is_shown {
            running.expect_partial(&page, tables).await
        } else {
            running.expect_refused(&page, tables).await
        };
        failures.note(format!("{} hidden, chart", omission.what), shown);
        let refused = running.expect_refused(&written, tables).await;
        failures.note(format!("{} hidden, write", omission.what), refused);
        let whole = chart.expect_complete(&client).await;
        failures.note(format!("{} shown again", omission.what), whole);
    }
    failures.into_result()
}

#[tokio::test]
async fn a_hidden_key_of_a_patient_opens_nothing_and_is_not_replaced() -> anyhow::Result<()> {
    let mut isolated = IsolatedStack::start().await?;
    let mut fixture = Fixture::on(isolated.running()?).await?;
    let client = fixture.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let hidden = Change::hide(
        "`keys`",
        fixture.organization,
        &rows_owned_by(&chart.patient),
    );
    let added = fhir::observation(&chart.patient);
    let stack = &mut isolated.stack;
    // Open keys stay open for a while: a cold app has to read the key.
    let attempt = async {
        stack.stop("app").await?;
        stack.start("app").await?;
        let path = format!("/fhir/{}", fhir::reference(&chart.patient));
        Ok([
            ("read", client.get(&path).await?),
            ("chart", chart.page(&client).await?),
            ("write", put(&client, &added).await?),
            ("write of the patient", put(&client, &chart.patient).await?),
        ])
    };
    let responses = hidden.during(&mut fixture.attacker, attempt).await?;
    let tables = ["keys", "owners", "resource_versions"];
    let mut failures = Failures::default();
    for (what, response) in responses {
        failures.note(
            what,
            fixture.running.expect_refused(&response, &tables).await,
        );
    }
    failures.note("afterwards", chart.expect_complete(&client).await);
    failures.into_result()
}

#[tokio::test]
async fn a_hidden_index_registry_finds_no_patient_and_stores_none() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let mut fixture = Fixture::on(isolated.running()?).await?;
    let client = fixture.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let number = chart.patient["identifier"][0]["value"].as_str();
    let by_number = [("identifier", number.context("a number")?)];
    assert_eq!(client.found(&by_number).await?.len(), 1);
    let hidden = Change::hide("index_versions", fixture.organization, "version = 1");
    let fresh = fhir::patient();
    let attempt = async {
        tokio::time::sleep(CACHE_EXPIRY).await;
        let found = client.search(&by_number).await?;
        Ok((found, put(&client, &fresh).await?))
    };
    let (found, written) = hidden.during(&mut fixture.attacker, attempt).await?;
    let tables = ["index_versions"];
    fixture
        .running
        .expect_refused(&found, &tables)
        .await
        .context("search")?;
    fixture
        .running
        .expect_refused(&written, &tables)
        .await
        .context("write")?;
    tokio::time::sleep(CACHE_EXPIRY).await;
    let path = format!("/fhir/{}", fhir::reference(&fresh));
    let stored = client.get(&path).await?;
    assert_eq!(stored.status, 404, "half a patient was stored");
    assert_eq!(client.found(&by_number).await?.len(), 1);
    chart.expect_complete(&client).await
}

#[tokio::test]
async fn a_patient_that_is_stored_twice_concurrently_is_created_once_and_amended_once()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let client = running.clinician(Clinic::Riverside).await?;
    for _ in 0..10 {
        let one = fhir::patient();
        let mut other = one.clone();
        other["gender"] = "male".into();
        let (first, second) = tokio::join!(put(&client, &one), put(&client, &other));
        let mut statuses = Vec::new();
        for response in [first?, second?] {
            let response = response.expect_status(200)?.json()?;
            let status = response["entry"][0]["response"]["status"].as_str();
            statuses.push(status.context("a status")?.to_owned());
        }
        statuses.sort();
        assert_eq!(statuses, ["200 OK", "201 Created"]);
        let read = client.read("Patient", fhir::id(&one)).await?;
        assert_eq!(read["meta"]["versionId"], "2");
        let page = client
            .page(&format!("/patients/{}", fhir::id(&one)))
            .await?;
        page.expect_status(200)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_record_of_a_patient_whose_head_is_hidden_is_not_taken_as_ownerless() -> anyhow::Result<()>
{
    let isolated = IsolatedStack::start().await?;
    let mut fixture = Fixture::on(isolated.running()?).await?;
    let client = fixture.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let hidden = Change::hide("resources", fixture.organization, &rows_of(&chart.patient));
    let added = fhir::observation(&chart.patient);
    let attempt = async { Ok((put(&client, &added).await?, client.page("/patients").await?)) };
    let (written, listed) = hidden.during(&mut fixture.attacker, attempt).await?;
    let tables = ["resources"];
    let refused = fixture.running.expect_refused(&written, &tables).await;
    refused.context("write")?;
    let partial = fixture.running.expect_partial(&listed, &tables).await;
    partial.context("list")?;
    let id = fhir::id(&chart.patient).to_string();
    assert!(listed.text().contains(&id), "{}", listed.text());
    client.page("/patients").await?.expect_status(200)?;
    chart.expect_complete(&client).await
}

fn practitioner() -> Value {
    json!({"resourceType": "Practitioner", "id": fhir::random_id(), "name": [{"family": "Practice"}]})
}

/// The condition for an organization's own row.
fn own_row(organization: Uuid) -> String {
    format!("owner_kind = 2 AND owner = {}", hexed(organization))
}

#[tokio::test]
async fn an_organization_s_own_row_with_a_null_column_or_hidden_permits_nothing()
-> anyhow::Result<()> {
    let mut isolated = IsolatedStack::start().await?;
    let mut fixture = Fixture::on(isolated.running()?).await?;
    let client = fixture.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let (directory, owns) = (practitioner(), own_row(fixture.organization));
    put(&client, &directory).await?.expect_status(200)?;
    let sql = format!("SELECT CAST(audit_year AS CHAR) FROM owners WHERE {owns}");
    let year = String::from_utf8(fixture.attacker.bytes(&sql, &[]).await?)?;
    let nulled = Change::new(
        format!("UPDATE owners SET audit_year = NULL WHERE {owns}"),
        format!("UPDATE owners SET audit_year = {year} WHERE {owns}"),
    );
    let hidden = Change::hide("owners", fixture.organization, &owns);
    let path = format!("/fhir/{}", fhir::reference(&directory));
    for (what, change) in [("nulled", &nulled), ("hidden", &hidden)] {
        let another = practitioner();
        let attempt = put(&client, &another);
        let written = change.during(&mut fixture.attacker, attempt).await?;
        let refused = fixture.running.expect_refused(&written, &["owners"]);
        refused.await.context(what)?;
        put(&client, &practitioner()).await?.expect_status(200)?;
    }
    // Nor does it permit a second key for a year whose key is hidden: nothing is disclosed without
    // its audit event.
    let of_the_year = Change::hide("`keys`", fixture.organization, "owner_kind = 3");
    for (what, change) in [
        ("the key", of_the_year.clone()),
        ("the key and the year", of_the_year.and(nulled)),
    ] {
        let stack = &mut isolated.stack;
        let attempt = async {
            stack.stop("app").await?;
            stack.start("app").await?;
            Ok((client.get(&path).await?, chart.page(&client).await?))
        };
        let (read, page) = change.during(&mut fixture.attacker, attempt).await?;
        for response in [read, page] {
            let refused = fixture
                .running
                .expect_refused(&response, &["keys", "owners"]);
            refused.await.context(what)?;
        }
        chart.expect_complete(&client).await?;
    }
    Ok(())
}
