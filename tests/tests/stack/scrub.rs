//! The scrubber: genuine rows that were put back, and an audit log that was altered, are found.

use std::process::Output;

use anyhow::Context;
use http::Method;
use serde_json::Value;
use stack::Home;
use tests::Apart;
use tests::Clinic;
use tests::Role;
use tests::Running;

use super::attack::Change;
use super::attack::Chart;
use super::attack::Faults;
use super::attack::Scene;
use super::attack::amended;
use super::attack::hexed;
use super::attack::put;

/// Runs a pass of the scrubber to its end.
async fn scrub(running: &Running) -> anyhow::Result<Output> {
    let home = Home::at(&running.status.home)?;
    let mut command = stack::command(&home, "app", &["scrub".into()])?;
    let output = tokio::task::spawn_blocking(move || command.output()).await?;
    output.context("app scrub does not run")
}

/// Asserts that a pass finds nothing.
async fn finds_nothing(running: &Running) -> anyhow::Result<()> {
    let output = scrub(running).await?;
    let said = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "{said}");
    anyhow::ensure!(said.contains("rows were compared"), "{said}");
    Ok(())
}

/// Asserts that a pass reports tampering with these tables, and no other.
async fn finds(running: &Running, tables: &[&str]) -> anyhow::Result<()> {
    let output = scrub(running).await?;
    let said = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(!output.status.success(), "found nothing: {said}");
    let lines = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut reported: Vec<String> = lines
        .filter(|line| line["security"] == true)
        .map(|line| line["table"].as_str().unwrap_or_default().to_owned())
        .collect();
    reported.dedup();
    anyhow::ensure!(reported == tables, "{reported:?}: {said}");
    Ok(())
}

/// The change that puts a row back to what it is now: `columns` of the row of `table` that meets a condition.
async fn as_it_is(
    scene: &mut Scene,
    table: &str,
    columns: &[&str],
    condition: &str,
) -> anyhow::Result<String> {
    let mut set = Vec::new();
    for column in columns {
        let sql = format!("SELECT COALESCE(HEX({column}), '') FROM {table} WHERE {condition}");
        let value = String::from_utf8(scene.intruder.bytes(&sql, &[]).await?)?;
        set.push(if value.is_empty() {
            format!("{column} = NULL")
        } else {
            format!("{column} = X'{value}'")
        });
    }
    Ok(format!(
        "UPDATE {table} SET {} WHERE {condition}",
        set.join(", ")
    ))
}

#[tokio::test]
async fn rows_that_were_put_back_and_an_altered_log_are_found() -> anyhow::Result<()> {
    let apart = Apart::up().await?;
    let mut scene = Scene::on(apart.running()?).await?;
    let client = scene.clinician.clone();
    let chart = Chart::stored(&client).await?;
    finds_nothing(&scene.running).await?;
    let mut replays = Vec::new();

    // An owner, as it was before its chart grew.
    let owner = format!(
        "owner_kind = 1 AND owner = {}",
        hexed(tests::fhir::id(&chart.patient))
    );
    let columns = ["heads", "mac_key", "mac"];
    let before = as_it_is(&mut scene, "owners", &columns, &owner).await?;
    put(&client, &amended(&chart.observations[1]))
        .await?
        .expecting(200)?;
    let after = as_it_is(&mut scene, "owners", &columns, &owner).await?;
    replays.push((&["owners"][..], Change::new(before, after)));

    // A session that was ended.
    let desk = scene
        .running
        .sign_in_afresh(Role::FrontDesk, Clinic::Riverside)
        .await?;
    let sql = "SELECT HEX(id) FROM sessions ORDER BY authenticated_at DESC LIMIT 1";
    let id = String::from_utf8(scene.intruder.bytes(sql, &[]).await?)?;
    let (session, columns) = (format!("id = X'{id}'"), ["ended_at", "mac_key", "mac"]);
    let before = as_it_is(&mut scene, "sessions", &columns, &session).await?;
    let ended = desk.request(Method::DELETE, "/api/v1/tokens/current", "", "");
    ended.await?.expecting(204)?;
    // A time is no bytes: it is put right by SQL's own spelling.
    let sql = format!("SELECT CAST(ended_at AS CHAR) FROM sessions WHERE {session}");
    let at = String::from_utf8(scene.intruder.bytes(&sql, &[]).await?)?;
    let macs = as_it_is(&mut scene, "sessions", &columns[1..], &session).await?;
    let after = macs.replace("SET ", &format!("SET ended_at = '{at}', "));
    replays.push((&["sessions"][..], Change::new(before, after)));

    // The list of an event, and an event in the middle of its chain.
    let sql = "SELECT HEX(event) FROM audit_rows WHERE table_tag = 10 ORDER BY sequence LIMIT 1";
    let event = String::from_utf8(scene.intruder.bytes(sql, &[]).await?)?;
    let list = format!("event = X'{event}' AND table_tag = 10");
    let before = format!("UPDATE audit_rows SET digest = REVERSE(digest) WHERE {list}");
    // The row that the list names differs from it, too.
    let tables = &["audit_events", "demographics"][..];
    replays.push((tables, Change::new(before.clone(), before)));
    let moved = |from: &str, to: &str| {
        format!(
            "UPDATE audit_events SET counter = {to} WHERE counter = {from} AND event = X'{event}'"
        )
    };
    let sql = format!("SELECT CAST(counter AS CHAR) FROM audit_events WHERE event = X'{event}'");
    let counter = String::from_utf8(scene.intruder.bytes(&sql, &[]).await?)?;
    let far = "1000000";
    replays.push((
        &["audit_events"][..],
        Change::new(moved(&counter, far), moved(far, &counter)),
    ));

    let mut faults = Faults::default();
    for (index, (tables, replay)) in replays.iter().enumerate() {
        let running = &scene.running;
        let found = replay.during(&mut scene.intruder, finds(running, tables));
        faults.note(format!("{index}: {tables:?}"), found.await);
    }
    faults.note("afterwards", finds_nothing(&scene.running).await);
    faults.none()
}
