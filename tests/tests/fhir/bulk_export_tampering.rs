//! Bulk exports over damaged records, and files that another program has changed.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tests::Canaries;
use tests::Scanner;
use tests::TestResponse;
use tests::audit_trail;
use tests::bundles;
use tests::export;
use tests::export::BulkExport;
use tests::fhir;

use super::api::officer;
use super::bulk_export::Cohort;
use super::bulk_export::exporter;
use super::bulk_export::objects_of;

/// The length of a frame's length, in bytes.
const FRAME_HEADER: usize = 4;

/// The frames of an object, each with its length.
fn frames(object: &[u8]) -> Vec<Vec<u8>> {
    let (mut frames, mut rest) = (Vec::new(), object);
    while let Some((header, _)) = rest.split_first_chunk::<FRAME_HEADER>() {
        let length = usize::try_from(u32::from_be_bytes(*header)).unwrap() + FRAME_HEADER;
        frames.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    frames
}

#[tokio::test]
async fn a_file_that_was_changed_is_an_error_and_an_alarm() -> anyhow::Result<()> {
    let (running, owner, client) = exporter().await?;
    let cohort = Cohort::stored(&owner).await?;
    let export = BulkExport::begin(&client, &cohort.export()).await?;
    let files = export.files().await?;
    let id = export
        .status
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .replace('-', "");
    let objects = objects_of(&running, &id)?;
    assert_eq!((files.len(), objects.len()), (2, 2));
    let kept: Vec<Vec<u8>> = objects.iter().map(fs::read).collect::<Result<_, _>>()?;
    let parts: Vec<Vec<Vec<u8>>> = kept.iter().map(|it| frames(it)).collect();
    assert!(parts.iter().all(|it| it.len() == 2), "index and lines");
    let mut flipped = kept[0].clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let changes = [
        flipped,
        // Cut off after the index, and within a part.
        parts[0][0].clone(),
        kept[0][..last].to_vec(),
        // In another order, repeated, and with a part of the other file.
        [parts[0][1].clone(), parts[0][0].clone()].concat(),
        [kept[0].clone(), parts[0][1].clone()].concat(),
        [parts[0][0].clone(), parts[1][1].clone()].concat(),
        // The whole other file.
        kept[1].clone(),
        Vec::new(),
    ];
    for (number, change) in changes.iter().enumerate() {
        fs::write(&objects[0], change)?;
        let responses = downloads(&client, &files).await?;
        let failed: Vec<_> = responses.iter().filter(|it| it.status == 500).collect();
        assert_eq!(failed.len(), 1, "{number}");
        running.expect_refused(failed[0], &["export_files"]).await?;
        fs::write(&objects[0], &kept[0])?;
    }
    fs::remove_file(&objects[0])?;
    let responses = downloads(&client, &files).await?;
    let failed = responses.iter().find(|it| it.status == 500);
    let failed = failed.expect("the file is missing");
    running.expect_refused(failed, &["export_files"]).await?;
    fs::write(&objects[0], &kept[0])?;
    for response in downloads(&client, &files).await? {
        response.expect_status(200)?;
    }
    export.remove().await
}

async fn downloads(
    client: &tests::Client,
    files: &[export::BulkFile],
) -> anyhow::Result<Vec<TestResponse>> {
    let mut responses = Vec::new();
    for file in files {
        responses.push(client.get(&file.path).await?);
    }
    Ok(responses)
}

#[tokio::test]
async fn a_damaged_record_is_listed_as_an_error_and_hides_no_other() -> anyhow::Result<()> {
    let (running, owner, client) = exporter().await?;
    let officer = officer(&running).await?;
    let mut attacker = running.attacker().await?;
    let cohort = Cohort::stored(&owner).await?;
    let victim = fhir::id(&cohort.observations[2]);
    let flip = "UPDATE resource_versions SET body = CONCAT(LEFT(body, LENGTH(body) - 1), \
                CHAR(ASCII(RIGHT(body, 1)) ^ 1 USING binary)) WHERE id = ?";
    attacker.execute(flip, &[victim.as_bytes()]).await?;
    let export = BulkExport::begin(&client, &cohort.export()).await?;
    let complete = export.complete().await?;
    let manifest = complete.json()?;
    assert_eq!(
        manifest["error"][0]["type"], "OperationOutcome",
        "{manifest}"
    );
    let files = export.files().await?;
    let (errors, data): (Vec<_>, Vec<_>) = files
        .into_iter()
        .partition(|it| it.kind == "OperationOutcome");
    let mut expected = cohort.references();
    expected.remove(&fhir::reference(&cohort.observations[2]));
    let resources = export::resources(&data)?;
    assert!(resources.keys().eq(expected.iter()), "{resources:?}");
    let outcome: Value = serde_json::from_str(&errors[0].lines[0])?;
    assert!(
        outcome.to_string().contains(&victim.to_string()),
        "{outcome}"
    );
    let events = audit_trail::latest_events(&officer).await?;
    let failed = audit_trail::event_with_outcome(&events, &errors[0].request, "failed");
    let failed = failed.cloned().unwrap_or_default();
    assert!(
        audit_trail::names_record(&failed, "Observation", victim),
        "{failed}"
    );
    let request = complete.header("x-request-id");
    assert!(audit_trail::event_with_outcome(&events, request, "partial").is_some());
    attacker.execute(flip, &[victim.as_bytes()]).await?;
    export.remove().await
}

#[tokio::test]
async fn an_export_s_row_that_was_altered_is_refused() -> anyhow::Result<()> {
    let (running, owner, client) = exporter().await?;
    let mut attacker = running.attacker().await?;
    let cohort = Cohort::stored(&owner).await?;
    let export = BulkExport::begin(&client, &cohort.export()).await?;
    export.complete().await?;
    let id: uuid::Uuid = export
        .status
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .parse()?;
    let row = "UPDATE exports SET expires_at = DATE_ADD(expires_at, INTERVAL 1 DAY) WHERE id = ?";
    attacker.execute(row, &[id.as_bytes()]).await?;
    let refused = export.poll().await?;
    running.expect_refused(&refused, &["exports"]).await?;
    let back = "UPDATE exports SET expires_at = DATE_SUB(expires_at, INTERVAL 1 DAY) WHERE id = ?";
    attacker.execute(back, &[id.as_bytes()]).await?;
    export.complete().await?;
    export.remove().await
}

#[tokio::test]
async fn no_value_of_an_exported_patient_is_readable_in_the_files() -> anyhow::Result<()> {
    let (running, _owner, client) = exporter().await?;
    let export = BulkExport::begin(&client, "Patient/$export?_type=Patient,Condition").await?;
    let exported = export::resources(&export.files().await?)?;
    // Those of the demo data: patients of other tests have values of a letter, which any ciphertext has.
    let mut canaries = Canaries::default();
    for bundle in bundles()? {
        let is_exported = |it: &&Value| exported.contains_key(&fhir::reference(it));
        let resources = bundle.resources.iter().filter(is_exported);
        resources.for_each(|resource| canaries.add_resource(resource));
    }
    assert!(canaries.count("name") > 10, "{}", canaries.count("name"));
    let scanner = Scanner::new(&canaries)?;
    let folder: PathBuf = running.status.home.join("objects");
    let (found, bytes) = scanner.scan_folder(&folder)?;
    let first = found.first().map(ToString::to_string);
    assert_eq!(first, None, "{} values are readable", found.len());
    assert!(bytes > 10_000, "only {bytes} bytes were scanned");
    export.remove().await
}
