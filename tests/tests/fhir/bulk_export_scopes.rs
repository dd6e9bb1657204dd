//! Scopes of machine clients: what they leave out of exports, and what they refuse.

use std::collections::BTreeSet;

use anyhow::Context;
use https_client::token_form;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::RunningStack;
use tests::export;
use tests::export::BulkExport;
use tests::fhir;

use super::bulk_export::Cohort;
use super::bulk_export::exporter;

/// The data warehouse with a token of these scopes.
async fn warehouse(running: &RunningStack, scopes: &str) -> anyhow::Result<Client> {
    let credentials = running.machine_client("Data warehouse", Clinic::Riverside)?;
    let audience = format!("{}/oauth/token", running.status.web.address);
    let form = token_form(&credentials.assertion(&audience)?, scopes);
    let kind = "application/x-www-form-urlencoded";
    let anonymous = running.anonymous();
    let issued = anonymous.request(http::Method::POST, "/oauth/token", kind, form);
    let issued = issued.await?.expect_status(200)?.json()?;
    let token = issued["access_token"].as_str().context("a token")?;
    Ok(anonymous.with_token(token))
}

async fn types_of(export: &BulkExport) -> anyhow::Result<BTreeSet<String>> {
    let files = export.files().await?;
    Ok(files.into_iter().map(|file| file.kind).collect())
}

#[tokio::test]
async fn an_export_has_only_types_that_the_scopes_cover() -> anyhow::Result<()> {
    let (running, owner, _client) = exporter().await?;
    let cohort = Cohort::stored(&owner).await?;
    let patients = warehouse(&running, "system/Patient.rs").await?;
    // The group is named by the request and is no part of the export.
    let export = BulkExport::begin(&patients, &cohort.export()).await?;
    let resources = export::resources(&export.files().await?)?;
    let names: BTreeSet<_> = resources.into_keys().collect();
    assert_eq!(names, BTreeSet::from([fhir::reference(&cohort.patient)]));
    export.remove().await?;
    let of_group = format!("{}?_type=Observation", cohort.export());
    for refused in [
        "$export?_type=Observation",
        "$export?_type=Patient,Observation",
        of_group.as_str(),
    ] {
        let response = export::kick_off(&patients, refused).await?;
        let response = response.expect_status(403)?;
        let challenge = response.header("www-authenticate");
        assert_eq!(
            challenge, "Bearer error=\"insufficient_scope\"",
            "{refused}"
        );
        response.issues()?;
    }
    let none = warehouse(&running, "system/Practitioner.rs").await?;
    export::kick_off(&none, "Patient/$export")
        .await?
        .expect_status(403)?
        .issues()?;
    Ok(())
}

#[tokio::test]
async fn a_token_reaches_no_file_beyond_its_scopes() -> anyhow::Result<()> {
    let (running, owner, client) = exporter().await?;
    let cohort = Cohort::stored(&owner).await?;
    let export = BulkExport::begin(&client, &cohort.export()).await?;
    let all = BTreeSet::from(["Patient".to_owned(), "Observation".to_owned()]);
    assert_eq!(types_of(&export).await?, all);
    let files = export.files().await?;
    let narrow = warehouse(&running, "system/Patient.rs").await?;
    let paths = files.iter().map(|file| &file.path);
    for path in paths.chain([&export.status]) {
        let refused = narrow.get(path).await?.expect_status(403)?;
        refused.issues()?;
    }
    // A token with the scopes of the request reaches it as before.
    let again = warehouse(&running, "system/*.rs").await?;
    again.get(&files[0].path).await?.expect_status(200)?;
    export.remove().await
}

#[tokio::test]
async fn a_scope_grants_nothing_that_the_role_does_not() -> anyhow::Result<()> {
    let (running, owner, _client) = exporter().await?;
    let cohort = Cohort::stored(&owner).await?;
    let client = warehouse(&running, "system/*.cruds").await?;
    let path = format!("/fhir/{}", fhir::reference(&cohort.patient));
    client.get(&path).await?.expect_status(403)?.issues()?;
    let search = client.search(&[("family", "smith")]).await?;
    search.expect_status(403)?.issues()?;
    let write: Value = json!({"resourceType": "Bundle", "type": "batch"});
    assert_eq!(client.bundle(&write).await?.status, 403);
    for path in ["/api/v1/people", "/api/v1/clients", "/api/v1/audit/events"] {
        assert_eq!(client.get(path).await?.status, 403, "{path}");
    }
    Ok(())
}
