//! The change feed: what one instance of the app hears of another's changes, and of a feed that was tampered with.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use futures::future::try_join_all;
use http::Method;
use serde_json::Value;
use tests::Apart;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::Running;
use tests::fhir;
use uuid::Uuid;

use super::attack::Change;
use super::attack::Scene;
use super::attack::hexed;
use super::attack::put;

/// The time within which one instance shows another's changes is a second; this is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until a condition holds.
async fn eventually<F>(what: &str, mut holds: impl FnMut() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    let deadline = Instant::now() + PATIENCE;
    while !holds().await? {
        anyhow::ensure!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A patient whose family name no other patient has.
fn named() -> (Value, String) {
    let family = format!("Feed{}", &fhir::random_id().simple().to_string()[..12]);
    let mut patient = fhir::patient();
    patient["name"][0]["family"] = family.as_str().into();
    (patient, family)
}

/// The ids of the patients that a search by family name finds.
async fn found(client: &Client, family: &str) -> anyhow::Result<Vec<Uuid>> {
    let found = client.found(&[("family", family)]).await?;
    Ok(found.iter().map(fhir::id).collect())
}

/// Waits until tampering with a table is on record in an app's log.
async fn alarmed(running: &Running, log: &str, table: &str) -> anyhow::Result<()> {
    let path = running.status.logs.join(log);
    eventually(&format!("an alarm about {table} in {log}"), || async {
        let log = std::fs::read_to_string(&path).context("a log")?;
        let mut lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(lines.any(|line| line["security"] == true && line["table"] == table))
    })
    .await
}

#[tokio::test]
async fn a_patient_is_found_at_once_where_it_was_written_and_soon_on_the_other_instance()
-> anyhow::Result<()> {
    let apart = Apart::up().await?;
    let beside = apart
        .stack
        .start_second_instance(apart.stack.binaries())
        .await?;
    let (running, other) = (apart.running()?, Running::of(beside.status())?);
    let here = running.clinician(Clinic::Riverside).await?;
    let there = other.nobody().with_token(here.token());
    let (mut patient, first) = named();
    let id = fhir::id(&patient);
    // Both rosters are there before the patient is.
    assert!(found(&here, &first).await?.is_empty());
    assert!(found(&there, &first).await?.is_empty());
    put(&here, &patient).await?.expecting(200)?;
    assert_eq!(found(&here, &first).await?, [id]);
    eventually("the other instance finds the patient", || async {
        Ok(found(&there, &first).await? == [id])
    })
    .await?;
    let (_, second) = named();
    patient["name"][0]["family"] = second.as_str().into();
    put(&there, &patient).await?.expecting(200)?;
    assert_eq!(found(&there, &second).await?, [id]);
    assert!(found(&there, &first).await?.is_empty());
    eventually("the first instance finds the new name alone", || async {
        Ok(found(&here, &second).await? == [id] && found(&here, &first).await?.is_empty())
    })
    .await
}

#[tokio::test]
async fn a_token_that_was_ended_on_one_instance_discloses_nothing_on_the_other()
-> anyhow::Result<()> {
    let apart = Apart::up().await?;
    let beside = apart
        .stack
        .start_second_instance(apart.stack.binaries())
        .await?;
    let (running, other) = (apart.running()?, Running::of(beside.status())?);
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    put(&clinician, &patient).await?.expecting(200)?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    for _ in 0..5 {
        let here = running
            .sign_in_afresh(Role::Clinician, Clinic::Riverside)
            .await?;
        let there = other.nobody().with_token(here.token());
        // Known to the other instance, and in use there until it has ended.
        let reading = (0..4).map(|_| async {
            let mut asked = Vec::new();
            loop {
                let at = Instant::now();
                let status = there.get(&path).await?.status;
                asked.push((at, status));
                if status == 401 {
                    return anyhow::Ok(asked);
                }
                assert_eq!(status, 200);
            }
        });
        let ending = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            let ended = here.request(Method::DELETE, "/api/v1/tokens/current", "", "");
            ended.await?.expecting(204)?;
            anyhow::Ok(Instant::now())
        };
        let (asked, ended) = tokio::try_join!(try_join_all(reading), ending)?;
        for (at, status) in asked.into_iter().flatten() {
            assert!(at < ended || status == 401, "disclosed after the end");
        }
        // At once: what is disclosed compares with the feed, and does not wait for the next reading of it.
        there.get(&path).await?.expecting(401)?;
        put(&there, &patient).await?.expecting(401)?;
        here.get(&path).await?.expecting(401)?;
    }
    clinician.get(&path).await?.expecting(200)?;
    Ok(())
}

#[tokio::test]
async fn without_the_end_of_the_feed_nothing_is_disclosed_or_written() -> anyhow::Result<()> {
    let apart = Apart::up().await?;
    let mut scene = Scene::on(apart.running()?).await?;
    let client = scene.clinician.clone();
    let patient = fhir::patient();
    put(&client, &patient).await?.expecting(200)?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    client.get(&path).await?.expecting(200)?;
    let hidden = Change::hides("change_counters", scene.organization, "TRUE");
    let added = fhir::patient();
    let tried = async {
        let observation = fhir::observation(&patient);
        Ok([
            client.get(&path).await?,
            put(&client, &observation).await?,
            put(&client, &added).await?,
        ])
    };
    for answer in hidden.during(&mut scene.intruder, tried).await? {
        scene.running.refused(&answer, &["change_counters"]).await?;
    }
    client.get(&path).await?.expecting(200)?;
    let added = format!("/fhir/{}", fhir::reference(&added));
    client.get(&added).await?.expecting(404)?;
    Ok(())
}

#[tokio::test]
async fn a_feed_with_a_gap_or_an_older_end_is_reported_and_what_was_kept_is_read_again()
-> anyhow::Result<()> {
    let apart = Apart::up().await?;
    let mut scene = Scene::on(apart.running()?).await?;
    let client = scene.clinician.clone();
    let (patient, family) = named();
    put(&client, &patient).await?.expecting(200)?;
    assert_eq!(found(&client, &family).await?, [fhir::id(&patient)]);
    // New changes go into the table behind the view, which does not show them.
    let rename = |from: &str, to: &str| format!("RENAME TABLE {from} TO {to}");
    let here = hexed(scene.organization);
    let sql = "SELECT CAST(sequence AS CHAR) FROM change_counters WHERE organization = ?";
    let organization = scene.organization;
    let newest = scene
        .intruder
        .bytes(sql, &[organization.as_bytes()])
        .await?;
    let newest = String::from_utf8(newest)?;
    let view = format!(
        "CREATE VIEW changes AS SELECT * FROM changes_kept \
         WHERE organization <> {here} OR sequence <= {newest}"
    );
    let withheld = Change::new(
        rename("changes", "changes_kept"),
        rename("changes_kept", "changes"),
    )
    .and(Change::new(view, "DROP VIEW IF EXISTS changes"));
    let (second, another) = named();
    let tried = async {
        put(&client, &second).await?.expecting(200)?;
        // Read from the tables: the patient is not missed.
        eventually("the patient is found", || async {
            let answer = client.search(&[("family", another.as_str())]).await?;
            Ok(answer.status == 200 && answer.text().contains(&another))
        })
        .await?;
        alarmed(&scene.running, "app.log", "changes").await
    };
    withheld.during(&mut scene.intruder, tried).await?;
    assert_eq!(found(&client, &another).await?, [fhir::id(&second)]);
    assert_eq!(found(&client, &family).await?, [fhir::id(&patient)]);
    Ok(())
}
