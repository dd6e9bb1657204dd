//! SIGKILL where it hurts: what was acknowledged is there, nothing is half there, and the audit trail has no gap.

use std::path::PathBuf;
use std::time::Duration;

use import::Report;
use progress::Progress;
use tests::Apart;
use tests::Clinic;
use tests::Intruder;
use tests::Role;
use tests::Running;

use super::chains;
use super::writer::SIZE;
use super::writer::Writer;

/// A whole patient: enough for there to be a middle.
fn whole_bundle() -> PathBuf {
    let root = tools::workspace::root().unwrap();
    root.join("tests/data/whole/timoteo-valles.json.gz")
}

/// How often the app is killed.
const TIMES: usize = 3;

async fn import(apart: &Apart) -> anyhow::Result<Report> {
    let importer = stack::importer(apart.stack.home(), Some("riverside"), Progress::hidden())?;
    importer.import(&whole_bundle()).await
}

async fn count(intruder: &mut Intruder, what: &str) -> usize {
    let number = intruder
        .number(&format!("SELECT COUNT(*) FROM {what}"), &[])
        .await
        .unwrap();
    usize::try_from(number).unwrap()
}

/// Waits for the import to be this far. Procedures tell: nobody else writes any, and 501 of them stand in the first
/// sixth of the bundle.
async fn until_there_are(procedures: usize, running: &Running) {
    let mut intruder = running.intruder().await.unwrap();
    let reached = async {
        while count(&mut intruder, "resources WHERE kind = 'Procedure'").await < procedures {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), reached)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_killed_in_the_middle_of_an_import_loses_nothing_that_was_acknowledged() {
    let mut apart = Apart::up().await.unwrap();
    let running = apart.running().unwrap();
    let client = running
        .sign_in_afresh(Role::Clinician, Clinic::Riverside)
        .await
        .unwrap();
    let home = apart.stack.home().clone();
    let first = tokio::spawn(async move {
        let importer = stack::importer(&home, Some("riverside"), Progress::hidden())?;
        importer.import(&whole_bundle()).await
    });
    let writer = Writer::start(client.clone());
    until_there_are(400, &running).await;
    apart.stack.kill("mysql").await.unwrap();
    writer.fails(1).await;
    assert!(
        !first.is_finished(),
        "the import was over before the database was killed"
    );
    first.abort();
    apart.stack.start("mysql").await.unwrap();
    writer.acknowledges(3).await;
    let report = import(&apart).await.unwrap();
    let written = writer.stop().await;

    assert!(report.refused.is_empty(), "{report}");
    let already: u64 = report.already.values().sum();
    let kept = already + report.total_sent();
    assert!(already > 0 && report.total_sent() > 0, "{report}");
    let committed = written.check(&client).await;
    let mut intruder = running.intruder().await.unwrap();
    let resources = usize::try_from(kept).unwrap() + committed * SIZE;
    assert_eq!(count(&mut intruder, "resources").await, resources);
    assert_eq!(count(&mut intruder, "resource_versions").await, resources);
    assert_eq!(count(&mut intruder, "demographics").await, 1 + committed);
    assert_eq!(import(&apart).await.unwrap().total_sent(), 0);
    assert!(chains::verify_all(&mut intruder).await > 0);
    apart.stack.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_killed_among_writes_loses_nothing_that_was_acknowledged() {
    let mut apart = Apart::up().await.unwrap();
    let running = apart.running().unwrap();
    let client = running
        .sign_in_afresh(Role::Clinician, Clinic::Riverside)
        .await
        .unwrap();
    let other = running
        .sign_in_afresh(Role::Clinician, Clinic::Lakeside)
        .await
        .unwrap();
    let writers = [Writer::start(client.clone()), Writer::start(other.clone())];
    for _ in 0..TIMES {
        for writer in &writers {
            writer.acknowledges(5).await;
        }
        apart.stack.kill("app").await.unwrap();
        writers[0].fails(1).await;
        apart.stack.start("app").await.unwrap();
    }
    writers[0].acknowledges(3).await;
    let mut committed = 0;
    for (writer, client) in writers.into_iter().zip([&client, &other]) {
        committed += writer.stop().await.check(client).await;
    }
    let mut intruder = running.intruder().await.unwrap();
    assert_eq!(count(&mut intruder, "resources").await, committed * SIZE);
    assert_eq!(
        count(&mut intruder, "resource_versions").await,
        committed * SIZE
    );
    assert_eq!(count(&mut intruder, "demographics").await, committed);
    // Each start of the app begins chains of its own.
    assert!(chains::verify_all(&mut intruder).await > TIMES);
    apart.stack.down().await.unwrap();
}
