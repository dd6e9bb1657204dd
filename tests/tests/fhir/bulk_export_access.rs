//! The rights to bulk exports, their events, and their end.

use std::collections::BTreeSet;

use http::Method;
use serde_json::json;
use tests::Clinic;
use tests::Role;
use tests::audit_trail;
use tests::export;
use tests::export::BulkExport;
use tests::fhir;

use super::api::delete;
use super::api::officer;
use super::api::path;
use super::bulk_export::Cohort;
use super::bulk_export::exporter;
use super::bulk_export::objects_of;

#[tokio::test]
async fn only_a_machine_client_exports_and_it_reads_nothing_else() -> anyhow::Result<()> {
    let (running, owner, client) = exporter().await?;
    let officer = officer(&running).await?;
    let cohort = Cohort::stored(&owner).await?;
    let mut refused = vec![client.get(&path(&cohort.patient)).await?];
    for role in [
        Role::Clinician,
        Role::FrontDesk,
        Role::PrivacyOfficer,
        Role::SecurityAdmin,
    ] {
        let person = running.sign_in(role, Clinic::Riverside).await?;
        refused.push(export::kick_off(&person, &cohort.export()).await?);
        refused.push(
            person
                .get(&format!("/fhir/$export-status/{}", fhir::random_id()))
                .await?,
        );
    }
    let events = audit_trail::latest_events(&officer).await?;
    for response in refused {
        let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
        let outcome = event.map(|event| event["outcome"].clone());
        assert_eq!(outcome, Some(json!("refused")), "{}", response.text());
        response.expect_status(403)?.issues()?;
    }
    let anonymous = export::kick_off(&running.anonymous(), &cohort.export()).await?;
    anonymous.expect_status(401)?;
    let elsewhere = running.sign_in(Role::Service, Clinic::Lakeside).await?;
    let elsewhere = export::kick_off(&elsewhere, &cohort.export()).await?;
    elsewhere.expect_status(404)?.issues()?;
    Ok(())
}

#[tokio::test]
async fn only_the_client_that_requested_an_export_reaches_it() -> anyhow::Result<()> {
    let (running, owner, client) = exporter().await?;
    let cohort = Cohort::stored(&owner).await?;
    let export = BulkExport::begin(&client, &cohort.export()).await?;
    let files = export.files().await?;
    let others = [
        running
            .sign_in_as_client("Disease registry", Clinic::Riverside)
            .await?,
        running.sign_in(Role::Service, Clinic::Lakeside).await?,
    ];
    for other in &others {
        for path in [&export.status, &files[0].path] {
            other.get(path).await?.expect_status(404)?.issues()?;
        }
        delete(other, &export.status)
            .await?
            .expect_status(404)?
            .issues()?;
    }
    let malformed = client.get("/fhir/$export-status/Smith").await?;
    assert!(
        matches!(malformed.status.as_u16(), 400 | 404),
        "{}",
        malformed.text()
    );
    let (folder, _) = files[0].path.rsplit_once('/').unwrap_or_default();
    client
        .get(&format!("{folder}/99999"))
        .await?
        .expect_status(404)?
        .issues()?;
    // It still is what it was.
    export.complete().await?;
    export.remove().await
}

#[tokio::test]
async fn nothing_of_a_removed_export_is_left() -> anyhow::Result<()> {
    let (running, owner, client) = exporter().await?;
    let cohort = Cohort::stored(&owner).await?;
    let export = BulkExport::begin(&client, &cohort.export()).await?;
    let files = export.files().await?;
    let (status, file) = (export.status.clone(), files[0].path.clone());
    let id = status
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .replace('-', "");
    assert!(!objects_of(&running, &id)?.is_empty());
    export.remove().await?;
    assert_eq!(objects_of(&running, &id)?, Vec::<std::path::PathBuf>::new());
    for path in [&status, &file] {
        client.get(path).await?.expect_status(404)?.issues()?;
    }
    delete(&client, &status)
        .await?
        .expect_status(404)?
        .issues()?;
    Ok(())
}

#[tokio::test]
async fn each_downloaded_record_is_named_in_the_trail() -> anyhow::Result<()> {
    let (running, owner, client) = exporter().await?;
    let officer = officer(&running).await?;
    let cohort = Cohort::stored(&owner).await?;
    let export = BulkExport::begin(&client, &cohort.export()).await?;
    let manifest = export.complete().await?;
    let events = audit_trail::latest_events(&officer).await?;
    let manifest = audit_trail::event_of_request(&events, manifest.header("x-request-id"));
    let manifest = manifest.cloned().unwrap_or_default();
    assert_eq!(manifest["action"], "export", "{manifest}");
    assert_eq!(manifest["records"][0]["kind"], "export", "{manifest}");
    let files = export.files().await?;
    let events = audit_trail::latest_events(&officer).await?;
    let mut named = BTreeSet::new();
    for file in &files {
        let event = audit_trail::event_of_request(&events, &file.request);
        let event = event.cloned().unwrap_or_default();
        assert_eq!(
            (&event["action"], &event["outcome"]),
            (&json!("export"), &json!("success"))
        );
        assert_eq!(event["role"], "service");
        for record in event["records"].as_array().into_iter().flatten() {
            assert_eq!(record["patient"], cohort.patient["id"], "{record}");
            assert_eq!(record["version"], 1, "{record}");
            let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
            named.insert(format!("{}/{}", text("kind"), text("id")));
        }
    }
    assert_eq!(named, cohort.references());
    export.remove().await
}

#[tokio::test]
async fn a_client_with_many_exports_has_to_remove_one() -> anyhow::Result<()> {
    let (running, owner, _client) = exporter().await?;
    let client = running
        .sign_in_as_client("Disease registry", Clinic::Riverside)
        .await?;
    let cohort = Cohort::stored(&owner).await?;
    let mut begun = Vec::new();
    loop {
        let response = export::kick_off(&client, &cohort.export()).await?;
        if response.status != 202 {
            response.expect_status(429)?.issues()?;
            break;
        }
        let status = response.header("content-location").to_owned();
        begun.push(status[status.find("/fhir/").unwrap_or_default()..].to_owned());
        anyhow::ensure!(begun.len() < 50, "no limit");
    }
    for status in begun {
        let removed = client.request(Method::DELETE, &status, "", "");
        removed.await?.expect_status(202)?;
    }
    Ok(())
}
