//! The scrubber finds genuine rows that were reverted, and a tampered audit trail.

use std::process::Output;

use anyhow::Context;
use http::Method;
use serde_json::Value;
use stack::Home;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;

use super::attack::Change;
use super::attack::Chart;
use super::attack::Failures;
use super::attack::Fixture;
use super::attack::amended;
use super::attack::hexed;
use super::attack::put;

/// Runs the scrubber once.
async fn scrub(running: &RunningStack) -> anyhow::Result<Output> {
    let home = Home::at(&running.status.home)?;
    let mut command = stack::command(&home, "app", &["scrub".into()])?;
    let output = tokio::task::spawn_blocking(move || command.output()).await?;
    output.context("app scrub does not run")
}

/// Requires that the scrubber finds no tampering.
async fn expect_nothing_found(running: &RunningStack) -> anyhow::Result<()> {
    let output = scrub(running).await?;
    let output_text = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "{output_text}");
    anyhow::ensure!(output_text.contains("rows were compared"), "{output_text}");
    Ok(())
}

/// Runs the scrubber, which must find tampering, and returns a field of each report.
async fn reported(running: &RunningStack, field: &str) -> anyhow::Result<Vec<String>> {
    let output = scrub(running).await?;
    let output_text = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(!output.status.success(), "found nothing: {output_text}");
    let lines = output_text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let reports = lines.filter(|line| line["security"] == true);
    Ok(reports
        .map(|line| line[field].as_str().unwrap_or_default().to_owned())
        .collect())
}

/// Requires that the scrubber reports tampering with these tables, and with no other.
async fn expect_found(running: &RunningStack, tables: &[&str]) -> anyhow::Result<()> {
    let mut reported = reported(running, "table").await?;
    reported.dedup();
    anyhow::ensure!(reported == tables, "{reported:?}");
    Ok(())
}

/// Deletes an audit event, and requires that the scrubber reports the gap in its chain. The deletion
/// is not reverted.
///
/// The scrubber tolerates a gap before an event that is younger than ten minutes. The event after the
/// gap is therefore dated back, which alone is reported for another reason.
async fn expect_deletion_found(fixture: &mut Fixture) -> anyhow::Result<()> {
    const GAP: &str = "a chain of events has a gap";
    // The last event of the longest chain, and the one before it.
    let sql = "SELECT HEX(event) FROM audit_events ORDER BY counter DESC LIMIT 1";
    let last = String::from_utf8(fixture.attacker.bytes(sql, &[]).await?)?;
    let sql = format!(
        "SELECT HEX(a.event) FROM audit_events a JOIN audit_events b \
         ON a.chain = b.chain AND a.counter + 1 = b.counter WHERE b.event = X'{last}'"
    );
    let deleted = String::from_utf8(fixture.attacker.bytes(&sql, &[]).await?)?;
    let age = format!(
        "UPDATE audit_events SET at = at - INTERVAL 11 MINUTE, \
         month = EXTRACT(YEAR_MONTH FROM at) WHERE event = X'{last}'"
    );
    anyhow::ensure!(fixture.attacker.execute(&age, &[]).await? == 1);
    let reasons = reported(&fixture.running, "reason").await?;
    anyhow::ensure!(!reasons.iter().any(|it| it == GAP), "{reasons:?}");
    let delete = format!("DELETE FROM audit_events WHERE event = X'{deleted}'");
    anyhow::ensure!(fixture.attacker.execute(&delete, &[]).await? == 1);
    let reasons = reported(&fixture.running, "reason").await?;
    anyhow::ensure!(reasons.iter().any(|it| it == GAP), "{reasons:?}");
    Ok(())
}

/// The statement that restores the current `columns` of the row of `table` that meets a condition.
async fn restore_statement(
    fixture: &mut Fixture,
    table: &str,
    columns: &[&str],
    condition: &str,
) -> anyhow::Result<String> {
    let mut set = Vec::new();
    for column in columns {
        let sql = format!("SELECT COALESCE(HEX({column}), '') FROM {table} WHERE {condition}");
        let value = String::from_utf8(fixture.attacker.bytes(&sql, &[]).await?)?;
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
async fn the_scrubber_finds_reverted_rows_and_a_tampered_audit_trail() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let mut fixture = Fixture::on(isolated.running()?).await?;
    let client = fixture.clinician.clone();
    let chart = Chart::stored(&client).await?;
    expect_nothing_found(&fixture.running).await?;
    let mut replays = Vec::new();

    // An owner as it was before its chart grew.
    let owner = format!(
        "owner_kind = 1 AND owner = {}",
        hexed(tests::fhir::id(&chart.patient))
    );
    let columns = ["heads", "mac_key", "mac"];
    let before = restore_statement(&mut fixture, "owners", &columns, &owner).await?;
    put(&client, &amended(&chart.observations[1]))
        .await?
        .expect_status(200)?;
    let after = restore_statement(&mut fixture, "owners", &columns, &owner).await?;
    replays.push((&["owners"][..], Change::new(before, after)));

    // A session that has ended.
    let desk = fixture
        .running
        .sign_in_with_new_token(Role::FrontDesk, Clinic::Riverside)
        .await?;
    let sql = "SELECT HEX(id) FROM sessions ORDER BY authenticated_at DESC LIMIT 1";
    let id = String::from_utf8(fixture.attacker.bytes(sql, &[]).await?)?;
    let (session, columns) = (format!("id = X'{id}'"), ["ended_at", "mac_key", "mac"]);
    let before = restore_statement(&mut fixture, "sessions", &columns, &session).await?;
    let ended = desk.request(Method::DELETE, "/api/v1/tokens/current", "", "");
    ended.await?.expect_status(204)?;
    // A time is not bytes: it is restored as a text.
    let sql = format!("SELECT CAST(ended_at AS CHAR) FROM sessions WHERE {session}");
    let at = String::from_utf8(fixture.attacker.bytes(&sql, &[]).await?)?;
    let macs = restore_statement(&mut fixture, "sessions", &columns[1..], &session).await?;
    let after = macs.replace("SET ", &format!("SET ended_at = '{at}', "));
    replays.push((&["sessions"][..], Change::new(before, after)));

    // The row list of an event, and an event in the middle of its chain.
    let sql = "SELECT HEX(event) FROM audit_rows WHERE table_tag = 10 ORDER BY sequence LIMIT 1";
    let event = String::from_utf8(fixture.attacker.bytes(sql, &[]).await?)?;
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
    let counter = String::from_utf8(fixture.attacker.bytes(&sql, &[]).await?)?;
    let far = "1000000";
    replays.push((
        &["audit_events"][..],
        Change::new(moved(&counter, far), moved(far, &counter)),
    ));

    let mut failures = Failures::default();
    for (index, (tables, replay)) in replays.iter().enumerate() {
        let running = &fixture.running;
        let found = replay.during(&mut fixture.attacker, expect_found(running, tables));
        failures.note(format!("{index}: {tables:?}"), found.await);
    }
    failures.note("afterwards", expect_nothing_found(&fixture.running).await);
    failures.note("a deleted event", expect_deletion_found(&mut fixture).await);
    failures.into_result()
}
