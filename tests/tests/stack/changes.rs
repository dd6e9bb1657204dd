//! The change feed: how instances of the app follow each other's changes, and react to tampering
//! with the feed.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use futures::future::try_join_all;
use http::Method;
use serde_json::Value;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::fhir;
use uuid::Uuid;

use super::attack::Change;
use super::attack::Fixture;
use super::attack::hexed;
use super::attack::put;

/// The limit of a wait. The promise is one second; this leaves a margin.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Waits until a condition holds.
async fn eventually<F>(what: &str, mut holds: impl FnMut() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    let deadline = Instant::now() + TIMEOUT;
    while !holds().await? {
        anyhow::ensure!(Instant::now() < deadline, "not within {TIMEOUT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A patient with a unique family name.
fn uniquely_named_patient() -> (Value, String) {
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

/// Waits for a security alert about a table in an app's log.
async fn await_alert(running: &RunningStack, log: &str, table: &str) -> anyhow::Result<()> {
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
async fn a_patient_is_found_at_once_on_the_writing_instance_and_soon_on_the_other()
-> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let beside = isolated
        .stack
        .start_second_instance(isolated.stack.binaries())
        .await?;
    let (running, other) = (isolated.running()?, RunningStack::of(beside.status())?);
    let here = running.clinician(Clinic::Riverside).await?;
    let there = other.anonymous().with_token(here.token());
    let (mut patient, first) = uniquely_named_patient();
    let id = fhir::id(&patient);
    // Both instances have loaded their rosters before the patient exists.
    assert!(found(&here, &first).await?.is_empty());
    assert!(found(&there, &first).await?.is_empty());
    put(&here, &patient).await?.expect_status(200)?;
    assert_eq!(found(&here, &first).await?, [id]);
    eventually("the other instance finds the patient", || async {
        Ok(found(&there, &first).await? == [id])
    })
    .await?;
    let (_, second) = uniquely_named_patient();
    patient["name"][0]["family"] = second.as_str().into();
    put(&there, &patient).await?.expect_status(200)?;
    assert_eq!(found(&there, &second).await?, [id]);
    assert!(found(&there, &first).await?.is_empty());
    eventually("the first instance finds the new name alone", || async {
        Ok(found(&here, &second).await? == [id] && found(&here, &first).await?.is_empty())
    })
    .await
}

#[tokio::test]
async fn a_token_that_was_revoked_on_one_instance_discloses_nothing_on_the_other()
-> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let beside = isolated
        .stack
        .start_second_instance(isolated.stack.binaries())
        .await?;
    let (running, other) = (isolated.running()?, RunningStack::of(beside.status())?);
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    put(&clinician, &patient).await?.expect_status(200)?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    for _ in 0..5 {
        let here = running
            .sign_in_with_new_token(Role::Clinician, Clinic::Riverside)
            .await?;
        let there = other.anonymous().with_token(here.token());
        // The other instance knows the token, and uses it until it is revoked.
        let reading = (0..4).map(|_| async {
            let mut reads = Vec::new();
            loop {
                let at = Instant::now();
                let status = there.get(&path).await?.status;
                reads.push((at, status));
                if status == 401 {
                    return anyhow::Ok(reads);
                }
                assert_eq!(status, 200);
            }
        });
        let ending = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            let ended = here.request(Method::DELETE, "/api/v1/tokens/current", "", "");
            ended.await?.expect_status(204)?;
            anyhow::Ok(Instant::now())
        };
        let (reads, ended) = tokio::try_join!(try_join_all(reading), ending)?;
        for (at, status) in reads.into_iter().flatten() {
            assert!(
                at < ended || status == 401,
                "disclosed after the revocation"
            );
        }
        // At once: each disclosure is checked against the feed, not against its last reading.
        there.get(&path).await?.expect_status(401)?;
        put(&there, &patient).await?.expect_status(401)?;
        here.get(&path).await?.expect_status(401)?;
    }
    clinician.get(&path).await?.expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn without_the_head_of_the_feed_nothing_is_disclosed_or_written() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let mut fixture = Fixture::on(isolated.running()?).await?;
    let client = fixture.clinician.clone();
    let patient = fhir::patient();
    put(&client, &patient).await?.expect_status(200)?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    client.get(&path).await?.expect_status(200)?;
    let hidden = Change::hide("change_counters", fixture.organization, "TRUE");
    let added = fhir::patient();
    let attempt = async {
        let observation = fhir::observation(&patient);
        Ok([
            client.get(&path).await?,
            put(&client, &observation).await?,
            put(&client, &added).await?,
        ])
    };
    for response in hidden.during(&mut fixture.attacker, attempt).await? {
        fixture
            .running
            .expect_refused(&response, &["change_counters"])
            .await?;
    }
    client.get(&path).await?.expect_status(200)?;
    let added = format!("/fhir/{}", fhir::reference(&added));
    client.get(&added).await?.expect_status(404)?;
    Ok(())
}

#[tokio::test]
async fn a_feed_with_a_gap_or_an_older_head_is_reported_and_caches_are_reloaded()
-> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let mut fixture = Fixture::on(isolated.running()?).await?;
    let client = fixture.clinician.clone();
    let (patient, family) = uniquely_named_patient();
    put(&client, &patient).await?.expect_status(200)?;
    assert_eq!(found(&client, &family).await?, [fhir::id(&patient)]);
    // New changes are stored in the table behind the view, which does not show them.
    let rename = |from: &str, to: &str| format!("RENAME TABLE {from} TO {to}");
    let here = hexed(fixture.organization);
    let sql = "SELECT CAST(sequence AS CHAR) FROM change_counters WHERE organization = ?";
    let organization = fixture.organization;
    let newest = fixture
        .attacker
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
    let (second, another) = uniquely_named_patient();
    let attempt = async {
        put(&client, &second).await?.expect_status(200)?;
        // The app falls back to the tables, so the patient is found.
        eventually("the patient is found", || async {
            let response = client.search(&[("family", another.as_str())]).await?;
            Ok(response.status == 200 && response.text().contains(&another))
        })
        .await?;
        await_alert(&fixture.running, "app.log", "changes").await
    };
    withheld.during(&mut fixture.attacker, attempt).await?;
    assert_eq!(found(&client, &another).await?, [fhir::id(&second)]);
    assert_eq!(found(&client, &family).await?, [fhir::id(&patient)]);
    Ok(())
}
