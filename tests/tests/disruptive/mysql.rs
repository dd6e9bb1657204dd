//! The same stack with MySQL in the place of the default database server.

use progress::Progress;
use stack::Database;

use tests::Clinic;
use tests::IsolatedStack;
use tests::fhir;

#[tokio::test(flavor = "multi_thread")]
async fn with_mysql_patients_are_imported_read_searched_and_amended() {
    let changed = IsolatedStack::start_with(|settings| settings.options.database = Database::Mysql);
    let mut isolated = changed.await.unwrap();
    let bundles = tests::bundles().unwrap();
    let smallest = bundles
        .iter()
        .min_by_key(|bundle| bundle.resources.len())
        .unwrap();
    let importer =
        stack::importer(isolated.stack.home(), Some("riverside"), Progress::hidden()).unwrap();
    let report = importer.import(&smallest.path).await.unwrap();
    assert!(
        report.refused.is_empty() && report.total_sent() > 10,
        "{report}"
    );

    let running = isolated.running().unwrap();
    let clinician = running.clinician(Clinic::Riverside).await.unwrap();
    let patient = smallest.patient().unwrap();
    let id = fhir::id(patient);
    let read = clinician.read("Patient", id).await.unwrap();
    assert_eq!(fhir::without_server_meta(&read), *patient);
    let family = patient["name"][0]["family"].as_str().unwrap();
    assert_eq!(
        clinician.found(&[("family", family)]).await.unwrap().len(),
        1
    );
    let mut amended = patient.clone();
    amended["birthDate"] = "1999-12-31".into();
    let bundle = fhir::transaction(&[&amended]);
    clinician
        .bundle(&bundle)
        .await
        .unwrap()
        .expect_status(200)
        .unwrap();
    let read = clinician.read("Patient", id).await.unwrap();
    assert_eq!(read["birthDate"], "1999-12-31");
    let chart = clinician
        .page(&format!("/patients/{id}"))
        .await
        .unwrap()
        .expect_status(200)
        .unwrap();
    assert!(chart.text().contains("31 Dec 1999"));
    isolated.stack.down().await.unwrap();
}
