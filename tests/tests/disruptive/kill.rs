//! SIGKILL at critical moments: acknowledged writes are complete, no write is partial, and the
//! audit trail has no gap.

use std::path::PathBuf;
use std::time::Duration;

use progress::Progress;

use import::Report;
use tests::Attacker;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;

use super::chains;
use super::writer::TRANSACTION_SIZE;
use super::writer::Writer;

/// A large patient record, so that an import has a middle.
fn whole_bundle() -> PathBuf {
    let root = tools::workspace::root().unwrap();
    root.join("tests/data/whole/timoteo-valles.json.gz")
}

/// The number of kills of the app.
const KILLS: usize = 3;

async fn import(isolated: &IsolatedStack) -> anyhow::Result<Report> {
    let importer = stack::importer(isolated.stack.home(), Some("riverside"), Progress::hidden())?;
    importer.import(&whole_bundle()).await
}

async fn count(attacker: &mut Attacker, what: &str) -> usize {
    let number = attacker
        .number(&format!("SELECT COUNT(*) FROM {what}"), &[])
        .await
        .unwrap();
    usize::try_from(number).unwrap()
}

/// Waits until the import has stored this number of procedures. Only the import writes procedures,
/// and 501 of them are in the first sixth of the bundle.
async fn await_procedures(procedures: usize, running: &RunningStack) {
    let mut attacker = running.attacker().await.unwrap();
    let reached = async {
        while count(&mut attacker, "resources WHERE kind = 'Procedure'").await < procedures {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), reached)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_during_an_import_loses_no_acknowledged_write() {
    let mut isolated = IsolatedStack::start().await.unwrap();
    let running = isolated.running().unwrap();
    let client = running
        .sign_in_with_new_token(Role::Clinician, Clinic::Riverside)
        .await
        .unwrap();
    let home = isolated.stack.home().clone();
    let first = tokio::spawn(async move {
        let importer = stack::importer(&home, Some("riverside"), Progress::hidden())?;
        importer.import(&whole_bundle()).await
    });
    let writer = Writer::start(client.clone());
    await_procedures(400, &running).await;
    isolated.stack.kill("mysql").await.unwrap();
    writer.await_failed(1).await;
    assert!(
        !first.is_finished(),
        "the import was complete before the database was killed"
    );
    first.abort();
    isolated.stack.start("mysql").await.unwrap();
    writer.await_acknowledged(3).await;
    let report = import(&isolated).await.unwrap();
    let written = writer.stop().await;

    assert!(report.refused.is_empty(), "{report}");
    let already: u64 = report.already.values().sum();
    let kept = already + report.total_sent();
    assert!(already > 0 && report.total_sent() > 0, "{report}");
    let committed = written.check(&client).await;
    let mut attacker = running.attacker().await.unwrap();
    let resources = usize::try_from(kept).unwrap() + committed * TRANSACTION_SIZE;
    assert_eq!(count(&mut attacker, "resources").await, resources);
    assert_eq!(count(&mut attacker, "resource_versions").await, resources);
    assert_eq!(count(&mut attacker, "demographics").await, 1 + committed);
    assert_eq!(import(&isolated).await.unwrap().total_sent(), 0);
    assert!(chains::verify_all(&mut attacker).await > 0);
    isolated.stack.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_killed_during_writes_loses_no_acknowledged_write() {
    let mut isolated = IsolatedStack::start().await.unwrap();
    let running = isolated.running().unwrap();
    let client = running
        .sign_in_with_new_token(Role::Clinician, Clinic::Riverside)
        .await
        .unwrap();
    let other = running
        .sign_in_with_new_token(Role::Clinician, Clinic::Lakeside)
        .await
        .unwrap();
    let writers = [Writer::start(client.clone()), Writer::start(other.clone())];
    for _ in 0..KILLS {
        for writer in &writers {
            writer.await_acknowledged(5).await;
        }
        isolated.stack.kill("app").await.unwrap();
        writers[0].await_failed(1).await;
        isolated.stack.start("app").await.unwrap();
    }
    writers[0].await_acknowledged(3).await;
    let mut committed = 0;
    for (writer, client) in writers.into_iter().zip([&client, &other]) {
        committed += writer.stop().await.check(client).await;
    }
    let mut attacker = running.attacker().await.unwrap();
    assert_eq!(
        count(&mut attacker, "resources").await,
        committed * TRANSACTION_SIZE
    );
    assert_eq!(
        count(&mut attacker, "resource_versions").await,
        committed * TRANSACTION_SIZE
    );
    assert_eq!(count(&mut attacker, "demographics").await, committed);
    // Each start of the app begins new chains.
    assert!(chains::verify_all(&mut attacker).await > KILLS);
    isolated.stack.down().await.unwrap();
}
