//! A row that is hidden permits nothing: on a stack of its own, since some rows are an organization's.

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Apart;
use tests::Clinic;
use tests::Running;
use tests::fhir;
use uuid::Uuid;

use super::attack::Change;
use super::attack::Chart;
use super::attack::FORGOTTEN;
use super::attack::Faults;
use super::attack::Scene;
use super::attack::amended;
use super::attack::hexed;
use super::attack::put;

/// What is hidden of a chart: the change, the resource that is then written, and the tables that may be reported.
struct Omission {
    what: &'static str,
    hidden: fn(&Chart, Uuid) -> Change,
    written: fn(&Chart) -> Value,
    tables: &'static [&'static str],
}

/// The condition that the rows of a resource meet.
fn of(resource: &Value) -> String {
    format!("id = {}", hexed(fhir::id(resource)))
}

/// The condition that the rows of a patient meet.
fn owned_by(patient: &Value) -> String {
    format!("owner = {}", hexed(fhir::id(patient)))
}

const OMISSIONS: [Omission; 7] = [
    Omission {
        what: "the owner",
        hidden: |chart, here| Change::hides("owners", here, &owned_by(&chart.patient)),
        written: |chart| fhir::observation(&chart.patient),
        tables: &["owners"],
    },
    Omission {
        what: "the newest version",
        hidden: |chart, here| {
            let newest = format!("{} AND version = 2", of(&chart.observations[0]));
            Change::hides("resource_versions", here, &newest)
        },
        written: |chart| amended(&chart.observations[0]),
        tables: &["resources", "resource_versions"],
    },
    Omission {
        what: "one of many heads",
        hidden: |chart, here| Change::hides("resources", here, &of(&chart.observations[1])),
        written: |chart| amended(&chart.observations[1]),
        tables: &["resources", "resource_versions", "owners"],
    },
    Omission {
        what: "one of many heads and its versions",
        hidden: |chart, here| {
            let hides = |table| Change::hides(table, here, &of(&chart.observations[1]));
            hides("resources").and(hides("resource_versions"))
        },
        written: |chart| amended(&chart.observations[1]),
        tables: &["resources", "resource_versions", "owners"],
    },
    Omission {
        what: "the patient's head",
        hidden: |chart, here| Change::hides("resources", here, &of(&chart.patient)),
        written: |chart| chart.patient.clone(),
        tables: &["resources", "resource_versions", "owners"],
    },
    Omission {
        what: "the patient's head and the owner",
        hidden: |chart, here| {
            let owner = Change::hides("owners", here, &owned_by(&chart.patient));
            owner.and(Change::hides("resources", here, &of(&chart.patient)))
        },
        written: |chart| chart.patient.clone(),
        tables: &["keys", "owners"],
    },
    Omission {
        what: "every head",
        hidden: |chart, here| Change::hides("resources", here, &owned_by(&chart.patient)),
        written: |chart| chart.patient.clone(),
        tables: &["resources", "resource_versions", "owners"],
    },
];

#[tokio::test]
async fn a_chart_with_a_row_hidden_is_neither_shown_nor_written() -> anyhow::Result<()> {
    let apart = Apart::up().await?;
    let mut scene = Scene::on(apart.running()?).await?;
    let client = scene.clinician.clone();
    let mut faults = Faults::default();
    for omission in OMISSIONS {
        let chart = Chart::stored(&client).await?;
        let written = (omission.written)(&chart);
        let tried = async {
            let page = chart.page(&client).await?;
            Ok((page, put(&client, &written).await?))
        };
        let hidden = (omission.hidden)(&chart, scene.organization);
        let (page, written) = hidden.during(&mut scene.intruder, tried).await?;
        for (does, answer) in [("chart", page), ("write", written)] {
            let refused = scene.running.refused(&answer, omission.tables).await;
            faults.note(format!("{} hidden, {does}", omission.what), refused);
        }
        let whole = chart.is_whole(&client).await;
        faults.note(format!("{} shown again", omission.what), whole);
    }
    faults.none()
}

#[tokio::test]
async fn a_hidden_key_of_a_patient_opens_nothing_and_is_not_made_anew() -> anyhow::Result<()> {
    let mut apart = Apart::up().await?;
    let mut scene = Scene::on(apart.running()?).await?;
    let client = scene.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let hidden = Change::hides("`keys`", scene.organization, &owned_by(&chart.patient));
    let added = fhir::observation(&chart.patient);
    let stack = &mut apart.stack;
    // What is warm stays open for a while: a cold app has to look for the key.
    let tried = async {
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
    let answers = hidden.during(&mut scene.intruder, tried).await?;
    let tables = ["keys", "owners", "resource_versions"];
    let mut faults = Faults::default();
    for (what, answer) in answers {
        faults.note(what, scene.running.refused(&answer, &tables).await);
    }
    faults.note("afterwards", chart.is_whole(&client).await);
    faults.none()
}

#[tokio::test]
async fn a_hidden_index_registry_finds_nobody_and_stores_no_patient() -> anyhow::Result<()> {
    let apart = Apart::up().await?;
    let mut scene = Scene::on(apart.running()?).await?;
    let client = scene.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let number = chart.patient["identifier"][0]["value"].as_str();
    let by_number = [("identifier", number.context("a number")?)];
    assert_eq!(client.found(&by_number).await?.len(), 1);
    let hidden = Change::hides("index_versions", scene.organization, "version = 1");
    let fresh = fhir::patient();
    let tried = async {
        tokio::time::sleep(FORGOTTEN).await;
        let found = client.search(&by_number).await?;
        Ok((found, put(&client, &fresh).await?))
    };
    let (found, written) = hidden.during(&mut scene.intruder, tried).await?;
    let tables = ["index_versions"];
    scene
        .running
        .refused(&found, &tables)
        .await
        .context("search")?;
    scene
        .running
        .refused(&written, &tables)
        .await
        .context("write")?;
    tokio::time::sleep(FORGOTTEN).await;
    let path = format!("/fhir/{}", fhir::reference(&fresh));
    let stored = client.get(&path).await?;
    assert_eq!(stored.status, 404, "half a patient was stored");
    assert_eq!(client.found(&by_number).await?.len(), 1);
    chart.is_whole(&client).await
}

#[tokio::test]
async fn a_patient_that_is_stored_twice_at_once_is_created_once_and_amended_once()
-> anyhow::Result<()> {
    let running = Running::shared()?;
    let client = running.clinician(Clinic::Riverside).await?;
    for _ in 0..10 {
        let one = fhir::patient();
        let mut other = one.clone();
        other["gender"] = "male".into();
        let (first, second) = tokio::join!(put(&client, &one), put(&client, &other));
        let mut statuses = Vec::new();
        for answer in [first?, second?] {
            let answer = answer.expecting(200)?.json()?;
            let status = answer["entry"][0]["response"]["status"].as_str();
            statuses.push(status.context("a status")?.to_owned());
        }
        statuses.sort();
        assert_eq!(statuses, ["200 OK", "201 Created"]);
        let read = client.read("Patient", fhir::id(&one)).await?;
        assert_eq!(read["meta"]["versionId"], "2");
        let page = client
            .page(&format!("/patients/{}", fhir::id(&one)))
            .await?;
        page.expecting(200)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_record_of_a_patient_whose_head_is_hidden_is_not_taken_for_one_of_nobody()
-> anyhow::Result<()> {
    let apart = Apart::up().await?;
    let mut scene = Scene::on(apart.running()?).await?;
    let client = scene.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let hidden = Change::hides("resources", scene.organization, &of(&chart.patient));
    let added = fhir::observation(&chart.patient);
    let tried = async { Ok((put(&client, &added).await?, client.page("/patients").await?)) };
    let (written, listed) = hidden.during(&mut scene.intruder, tried).await?;
    let tables = ["resources"];
    let refused = scene.running.refused(&written, &tables).await;
    refused.context("write")?;
    let refused = scene.running.refused(&listed, &tables).await;
    refused.context("list")?;
    client.page("/patients").await?.expecting(200)?;
    chart.is_whole(&client).await
}

fn practitioner() -> Value {
    json!({"resourceType": "Practitioner", "id": fhir::random_id(), "name": [{"family": "Practice"}]})
}

/// The condition that an organization's own row meets.
fn itself(organization: Uuid) -> String {
    format!("owner_kind = 2 AND owner = {}", hexed(organization))
}

#[tokio::test]
async fn an_organizations_own_row_with_a_column_nulled_or_hidden_permits_nothing()
-> anyhow::Result<()> {
    let mut apart = Apart::up().await?;
    let mut scene = Scene::on(apart.running()?).await?;
    let client = scene.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let (directory, owns) = (practitioner(), itself(scene.organization));
    put(&client, &directory).await?.expecting(200)?;
    let sql = format!("SELECT CAST(audit_year AS CHAR) FROM owners WHERE {owns}");
    let year = String::from_utf8(scene.intruder.bytes(&sql, &[]).await?)?;
    let nulled = Change::new(
        format!("UPDATE owners SET audit_year = NULL WHERE {owns}"),
        format!("UPDATE owners SET audit_year = {year} WHERE {owns}"),
    );
    let hidden = Change::hides("owners", scene.organization, &owns);
    let path = format!("/fhir/{}", fhir::reference(&directory));
    for (what, change) in [("nulled", &nulled), ("hidden", &hidden)] {
        let another = practitioner();
        let tried = put(&client, &another);
        let written = change.during(&mut scene.intruder, tried).await?;
        let refused = scene.running.refused(&written, &["owners"]);
        refused.await.context(what)?;
        put(&client, &practitioner()).await?.expecting(200)?;
    }
    // Nor does it permit a second key for a year whose key is hidden: nothing is disclosed without its event.
    let of_the_year = Change::hides("`keys`", scene.organization, "owner_kind = 3");
    for (what, change) in [
        ("the key", of_the_year.clone()),
        ("the key and the year", of_the_year.and(nulled)),
    ] {
        let stack = &mut apart.stack;
        let tried = async {
            stack.stop("app").await?;
            stack.start("app").await?;
            Ok((client.get(&path).await?, chart.page(&client).await?))
        };
        let (read, page) = change.during(&mut scene.intruder, tried).await?;
        for answer in [read, page] {
            let refused = scene.running.refused(&answer, &["keys", "owners"]);
            refused.await.context(what)?;
        }
        chart.is_whole(&client).await?;
    }
    Ok(())
}
