//! Rows of a chart that were genuine once, or are genuine elsewhere, do not pass for what is stored now.

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Running;
use tests::fhir;
use uuid::Uuid;

use super::attack::Change;
use super::attack::Chart;
use super::attack::Faults;
use super::attack::Scene;
use super::attack::amended;
use super::attack::hexed;
use super::attack::put;

/// What a head says beside its key, as SQL.
const HEAD: [&str; 5] = ["version", "version_row", "updated_at", "mac_key", "mac"];

/// `SET` that puts a head to what it is now.
async fn head_as_it_is(scene: &mut Scene, id: Uuid) -> anyhow::Result<String> {
    let mut set = Vec::new();
    for column in HEAD {
        let (read, quoted) = match column {
            "version" | "updated_at" => (format!("CAST({column} AS CHAR)"), true),
            _ => (column.to_owned(), false),
        };
        let sql = format!("SELECT {read} FROM resources WHERE id = ?");
        let value = scene.intruder.bytes(&sql, &[id.as_bytes()]).await?;
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

/// A chart, its first observation, and the change that puts that observation's head back to version 1.
async fn put_back(scene: &mut Scene) -> anyhow::Result<(Chart, Value, Change)> {
    let chart = Chart::stored(&scene.clinician).await?;
    let victim = fhir::observation(&chart.patient);
    put(&scene.clinician, &victim).await?.expecting(200)?;
    let first = head_as_it_is(scene, fhir::id(&victim)).await?;
    let victim = amended(&victim);
    put(&scene.clinician, &victim).await?.expecting(200)?;
    let second = head_as_it_is(scene, fhir::id(&victim)).await?;
    Ok((chart, victim, Change::new(first, second)))
}

#[tokio::test]
async fn a_head_put_back_is_neither_read_nor_written_on_and_put_right_works_again()
-> anyhow::Result<()> {
    let mut scene = Scene::on(Running::shared()?).await?;
    let (chart, victim, replay) = put_back(&mut scene).await?;
    let client = scene.clinician.clone();
    let next = amended(&victim);
    let path = format!("/fhir/{}", fhir::reference(&victim));
    let tried = async {
        let (read, written) = (client.get(&path).await?, put(&client, &next).await?);
        Ok([read, written, chart.page(&client).await?])
    };
    let answers = replay.during(&mut scene.intruder, tried).await?;
    for (what, answer) in ["read", "write", "chart"].into_iter().zip(&answers) {
        let refused = scene.running.refused(answer, &["resources"]);
        refused.await.context(what)?;
    }
    let read = client.read("Observation", fhir::id(&victim)).await?;
    assert_eq!(fhir::without_stamp(&read), victim);
    let written = put(&client, &next).await?.expecting(200)?;
    assert_eq!(written.json()?["entry"][0]["response"]["etag"], "W/\"3\"");
    chart.is_whole(&client).await
}

#[tokio::test]
async fn a_head_put_back_whose_newer_version_is_hidden_too_is_not_written_on() -> anyhow::Result<()>
{
    let mut scene = Scene::on(Running::shared()?).await?;
    let (chart, victim, replay) = put_back(&mut scene).await?;
    let newest = format!("id = {} AND version = 2", hexed(fhir::id(&victim)));
    let hidden = Change::hides("resource_versions", scene.organization, &newest);
    let client = scene.clinician.clone();
    let next = amended(&victim);
    let tried = async {
        let page = chart.page(&client).await?;
        Ok((page, put(&client, &next).await?))
    };
    let change = replay.and(hidden);
    let (page, written) = change.during(&mut scene.intruder, tried).await?;
    let tables = ["resources", "resource_versions"];
    let mut faults = Faults::default();
    faults.note("chart", scene.running.refused(&page, &tables).await);
    faults.note("write", scene.running.refused(&written, &tables).await);
    let later = put(&client, &next).await?;
    faults.note("a later write", later.expecting(200).map(|_answer| ()));
    faults.note("afterwards", chart.is_whole(&client).await);
    faults.none()
}

/// More observations than a write compares one by one.
const MANY: usize = 600;

#[tokio::test]
async fn a_record_of_a_long_chart_that_was_hidden_or_put_back_is_not_written_on()
-> anyhow::Result<()> {
    let mut scene = Scene::on(Running::shared()?).await?;
    let (chart, victim, replay) = put_back(&mut scene).await?;
    let client = scene.clinician.clone();
    let more: Vec<Value> = (0..MANY)
        .map(|_| fhir::observation(&chart.patient))
        .collect();
    for some in more.chunks(100) {
        let some: Vec<&Value> = some.iter().collect();
        let answer = client.bundle(&fhir::transaction(&some)).await?;
        answer.expecting(200)?;
    }
    let here = scene.organization;
    let newest = format!("id = {} AND version = 2", hexed(fhir::id(&victim)));
    let put_back = replay.and(Change::hides("resource_versions", here, &newest));
    let of_it = format!("id = {}", hexed(fhir::id(&more[0])));
    let hides = |table| Change::hides(table, here, &of_it);
    let hidden = hides("resources").and(hides("resource_versions"));
    let mut faults = Faults::default();
    for (what, change, written) in [
        ("put back", put_back, amended(&victim)),
        ("hidden", hidden, amended(&more[0])),
    ] {
        let tried = put(&client, &written);
        let answer = change.during(&mut scene.intruder, tried).await?;
        faults.note(what, scene.running.refused(&answer, &["resources"]).await);
        let later = put(&client, &written).await?.expecting(200);
        faults.note(format!("{what}, later"), later.map(|_answer| ()));
        faults.note(format!("{what}, afterwards"), chart.is_whole(&client).await);
    }
    faults.none()
}

#[tokio::test]
async fn a_record_moved_to_another_owner_or_kind_of_owner_is_refused() -> anyhow::Result<()> {
    let mut scene = Scene::on(Running::shared()?).await?;
    let client = scene.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let other = Chart::stored(&client).await?;
    let victim = &chart.observations[0];
    let id = hexed(fhir::id(victim));
    let path = format!("/fhir/{}", fhir::reference(victim));
    let (mine, theirs) = (fhir::id(&chart.patient), fhir::id(&other.patient));
    let here = format!("owner_kind = 1, owner = {}", hexed(mine));
    let mut faults = Faults::default();
    for (what, there) in [
        ("another patient", format!("owner = {}", hexed(theirs))),
        ("another kind", "owner_kind = 2".to_owned()),
        (
            "the organization",
            format!("owner_kind = 2, owner = {}", hexed(scene.organization)),
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
            let tried = async {
                let read = client.get(&path).await?;
                let written = put(&client, &amended(victim)).await?;
                Ok((read, written, chart.page(&client).await?))
            };
            let (read, written, page) = change.during(&mut scene.intruder, tried).await?;
            let what = format!("{part} given to {what}");
            let answers = [("read", read), ("write", written), ("chart", page)];
            for (does, answer) in answers {
                let refused = scene.running.refused(&answer, &tables).await;
                faults.note(format!("{what}: {does}"), refused);
            }
        }
    }
    faults.note("afterwards", chart.is_whole(&client).await);
    faults.note("the other afterwards", other.is_whole(&client).await);
    faults.none()
}

/// A resource of the directory, which the organization itself owns.
fn practitioner() -> Value {
    json!({
        "resourceType": "Practitioner",
        "id": fhir::random_id(),
        "name": [{"family": "Practice", "given": ["Prudence"]}]
    })
}

#[tokio::test]
async fn a_record_of_the_directory_given_to_a_patient_is_refused() -> anyhow::Result<()> {
    let mut scene = Scene::on(Running::shared()?).await?;
    let client = scene.clinician.clone();
    let chart = Chart::stored(&client).await?;
    let victim = practitioner();
    put(&client, &victim).await?.expecting(200)?;
    let (id, patient) = (hexed(fhir::id(&victim)), hexed(fhir::id(&chart.patient)));
    let set = |table: &str, kind: u8, owner: &str| {
        format!("UPDATE {table} SET owner_kind = {kind}, owner = {owner} WHERE id = {id}")
    };
    let home = hexed(scene.organization);
    let moves = |table| Change::new(set(table, 1, &patient), set(table, 2, &home));
    let change = moves("resources").and(moves("resource_versions"));
    let path = format!("/fhir/{}", fhir::reference(&victim));
    let tried = async { Ok([client.get(&path).await?, chart.page(&client).await?]) };
    for answer in change.during(&mut scene.intruder, tried).await? {
        scene.running.refused(&answer, &["resources"]).await?;
    }
    client.get(&path).await?.expecting(200)?;
    chart.is_whole(&client).await
}
