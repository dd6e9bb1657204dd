//! Bulk exports over crashes of the app, and after their lifetime.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use progress::Progress;
use stack::Variable;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::export;
use tests::export::BulkExport;

/// The maximum number of kills of the app: a fast machine completes the export before.
const MAX_KILLS: usize = 3;

async fn service(running: &RunningStack) -> Client {
    let client = running.sign_in_with_new_token(Role::Service, Clinic::Riverside);
    client.await.unwrap()
}

/// The number of objects below a folder.
fn objects(folder: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        count += if path.is_dir() { objects(&path) } else { 1 };
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_after_the_app_was_killed() {
    let mut isolated = IsolatedStack::start().await.unwrap();
    let running = isolated.running().unwrap();
    let root = tools::workspace::root().unwrap();
    let whole = root.join("tests/data/whole/timoteo-valles.json.gz");
    let home = isolated.stack.home();
    let importer = stack::importer(home, Some("riverside"), Progress::hidden()).unwrap();
    importer.import(&whole).await.unwrap();
    let client = service(&running).await;
    let export = BulkExport::begin(&client, "$export").await.unwrap();
    let mut kills = 0;
    while kills < MAX_KILLS {
        let status = export.poll().await.unwrap().status;
        if kills > 0 && status == 200 {
            break;
        }
        assert_eq!(status, 202);
        kills += 1;
        // While files are written.
        let (poll, ()) = tokio::join!(export.poll(), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            isolated.stack.kill("app").await.unwrap();
        });
        drop(poll);
        isolated.stack.start("app").await.unwrap();
        while export
            .poll()
            .await
            .is_ok_and(|it| it.status.is_server_error())
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let files = export.files().await.unwrap();
    let names: BTreeSet<_> = export::resources(&files).unwrap().into_keys().collect();
    let mut attacker = running.attacker().await.unwrap();
    let stored = attacker.number("SELECT COUNT(*) FROM resources WHERE deleted IS NULL", &[]);
    let stored = usize::try_from(stored.await.unwrap()).unwrap();
    assert!(stored > 3_000, "{stored}");
    assert_eq!(names.len(), stored);
    export.remove().await.unwrap();
    assert_eq!(objects(&running.status.home.join("objects")), 0);
    isolated.stack.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_export_is_not_found_and_its_files_are_deleted() {
    let changed = IsolatedStack::start_with(|settings| {
        settings.options.variables.push(Variable {
            name: "EXPORT_LIFETIME_SECONDS".to_owned(),
            value: "4".to_owned(),
        });
    });
    let mut isolated = changed.await.unwrap();
    let running = isolated.running().unwrap();
    let clinician = running.sign_in_with_new_token(Role::Clinician, Clinic::Riverside);
    let patient = tests::fhir::patient();
    let stored = clinician
        .await
        .unwrap()
        .bundle(&tests::fhir::transaction(&[&patient]))
        .await;
    stored.unwrap().expect_status(200).unwrap();
    let client = service(&running).await;
    let export = BulkExport::begin(&client, "$export?_type=Patient")
        .await
        .unwrap();
    let files = export.files().await.unwrap();
    let folder = running.status.home.join("objects");
    assert_eq!((files.len(), objects(&folder)), (1, 1));
    let expired = async {
        while export.poll().await.unwrap().status != 404 || objects(&folder) > 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), expired)
        .await
        .unwrap();
    let file = client.get(&files[0].path).await.unwrap();
    assert_eq!(file.status, 404, "{}", file.text());
    isolated.stack.down().await.unwrap();
}
