//! The database server's statement logs, on an isolated stack with all of them enabled.

use anyhow::Context;
use serde_json::Value;
use tests::Canaries;
use tests::Clinic;
use tests::IsolatedStack;
use tests::RunningStack;
use tests::Scanner;
use tests::fhir;

#[tokio::test]
async fn the_general_log_of_an_import_and_of_reads_has_no_value_of_a_patient() -> anyhow::Result<()>
{
    let mut isolated = IsolatedStack::start().await?;
    isolated
        .reconfigure_database(
            "\ngeneral_log = ON\ngeneral_log_file = general.log\nslow_query_log = ON\n\
             slow_query_log_file = slow.log\nlong_query_time = 0\nlog_output = FILE\n",
        )
        .await?;
    let bundles = tests::bundles()?;
    let bundle = bundles.first().context("a bundle")?;
    let importer = stack::importer(
        isolated.stack.home(),
        Some(bundle.clinic.first_word()),
        progress::Progress::hidden(),
    )?;
    let report = importer.import(&bundle.path).await?;
    assert!(report.refused.is_empty());
    let running = isolated.running()?;
    use_everything(&running, bundle.patient()?, bundle.clinic).await?;
    let mut canaries = Canaries::default();
    bundle
        .resources
        .iter()
        .for_each(|resource| canaries.add_resource(resource));
    let folder = &running.status.database.folder;
    let log = std::fs::read(folder.join("data/general.log"))?;
    let text = String::from_utf8_lossy(&log);
    assert!(
        text.contains("INSERT INTO resource_versions"),
        "the log shows the statements"
    );
    assert!(text.contains("demographics"));
    assert!(folder.join("data/slow.log").metadata()?.len() > 10_000);
    let scanner = Scanner::new(&canaries)?;
    let (mut matches, searched) = scanner.scan_folder(&running.status.home)?;
    // The database server's manual has names of people in its examples.
    matches.retain(|hit| !hit.source.contains("/help_") && !hit.source.ends_with("/mysql.ibd"));
    assert!(
        matches.is_empty(),
        "{}",
        matches.iter().map(ToString::to_string).collect::<String>()
    );
    assert!(searched > 10_000_000);
    Ok(())
}

/// Reads, searches and lists a patient in every way.
async fn use_everything(
    running: &RunningStack,
    patient: &Value,
    clinic: Clinic,
) -> anyhow::Result<()> {
    let clinician = running.clinician(clinic).await?;
    let id = fhir::id(patient);
    clinician.read("Patient", id).await?;
    let family = patient["name"][0]["family"].as_str().context("a name")?;
    let born = patient["birthDate"].as_str().context("a birth date")?;
    assert_eq!(
        clinician
            .found(&[("family", family), ("birthdate", born)])
            .await?
            .len(),
        1
    );
    for identifier in patient["identifier"].as_array().context("identifiers")? {
        let value = identifier["value"].as_str().context("a value")?;
        clinician.search(&[("identifier", value)]).await?;
        clinician.form("/patients/search", &[("q", value)]).await?;
    }
    clinician
        .form("/patients/search", &[("q", family)])
        .await?
        .expect_status(200)?;
    clinician.page("/patients").await?.expect_status(200)?;
    clinician
        .page(&format!("/patients/{id}"))
        .await?
        .expect_status(200)?;
    Ok(())
}
