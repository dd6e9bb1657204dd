//! The compose step of `cargo stack test`: everything is really built, brought up and driven
//! through the published port, looked at from inside, and taken down.

use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;
use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http::header;
use serde_json::Value;

use crate::accounts::Accounts;
use crate::home::Home;
use crate::importer::importer;
use crate::settings::Ports;
use https_client::HttpsClient;
use https_client::issue_token;
use progress::Progress;
use tools::workspace;

use super::Checked;
use super::binaries::Programs;
use super::confinement;
use super::engine::Engine;
use super::project::Project;

/// A project of its own, beside one that may be in use.
const PROJECT: &str = "hipaa-stack-test";

/// A small patient, and the record number to find them by.
const PATIENT: (&str, &str) = ("tests/data/riverside/love-hermiston.json.gz", "3982481");

/// Builds, brings up, drives and takes down. Without an engine it is skipped.
///
/// # Errors
/// When something is not as it should be; the logs stay in `target/compose/`.
pub async fn check(progress: Progress) -> anyhow::Result<Checked> {
    let engine = match Engine::obtain(progress).await {
        Ok(engine) => engine,
        Err(unavailable) => return Ok(Checked::Skipped(unavailable.to_string())),
    };
    let checked = on(&engine, progress).await;
    engine.release().await?;
    checked.map(Checked::Passed)
}

async fn on(engine: &Engine, progress: Progress) -> anyhow::Result<Vec<String>> {
    let ports = Ports::free()?;
    let project = Project::new(PROJECT, engine, ports, Programs::for_tests(), progress)?;
    project.down(true).await?;
    let mut driven = drive(&project, ports, progress).await;
    if driven.is_err()
        && let Ok(path) = project.keep_logs()
    {
        driven = driven.with_context(|| format!("the containers' logs are in {}", path.display()));
    }
    // What went wrong is worth more than what goes wrong afterwards.
    let taken_down = project.down(true).await;
    let passed = driven?;
    taken_down?;
    Ok(passed)
}

async fn drive(project: &Project, ports: Ports, progress: Progress) -> anyhow::Result<Vec<String>> {
    project.up(progress).await?;
    let folder = workspace::root()?.join("target/compose/home");
    let _ = std::fs::remove_dir_all(&folder);
    let home = Home::at(&folder)?;
    project.write_home(&home)?;
    let door = HttpsClient::new(ports.web, &home.certificate("public/ca.pem"))?;
    let token = sign_in(&door, &home).await?;
    let sent = import(&home).await?;
    let mut passed = vec![
        "a demo clinician signs in through the published port".to_owned(),
        read_back(&door, &token, sent).await?,
    ];
    passed.extend(confinement::check(project)?);
    passed.extend(confinement::check_networks(project)?);
    project.restart("kms").await?;
    project.restart("app").await?;
    passed.push(after_restart(&door, &home).await?);
    Ok(passed)
}

/// The front door may open a moment before the first app is known to it.
async fn sign_in(door: &HttpsClient, home: &Home) -> anyhow::Result<String> {
    let accounts = Accounts::read(home)?.context("no sign-ins were made")?;
    let person = accounts.person("clinician", Some("Riverside"))?;
    let mut last = None;
    for _ in 0..40 {
        match issue_token(door, &person.credentials()).await {
            Ok(token) => return Ok(token),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    match last {
        Some(error) => Err(error.context("nobody can sign in")),
        None => bail!("nobody can sign in"),
    }
}

async fn import(home: &Home) -> anyhow::Result<u64> {
    let importer = importer(home, Some("Riverside"), Progress::hidden())?;
    let report = importer.import(&workspace::root()?.join(PATIENT.0)).await?;
    ensure!(
        report.refused.is_empty(),
        "the stack refuses {:?}",
        report.refused
    );
    Ok(report.total_sent())
}

async fn read_back(door: &HttpsClient, token: &str, sent: u64) -> anyhow::Result<String> {
    let found = search(door, token).await?;
    let family = found
        .pointer("/entry/0/resource/name/0/family")
        .and_then(Value::as_str);
    ensure!(
        family == Some("Hermiston"),
        "the imported patient is not found: {found}"
    );
    Ok(format!(
        "{sent} resources of a patient go in and are found again"
    ))
}

/// Sealed under keys of the emulator, which has to have kept them.
async fn after_restart(door: &HttpsClient, home: &Home) -> anyhow::Result<String> {
    let token = sign_in(door, home).await?;
    read_back(door, &token, 0).await?;
    Ok("after app and key service were restarted the patient still opens".to_owned())
}

async fn search(door: &HttpsClient, token: &str) -> anyhow::Result<Value> {
    let request = Request::post("/fhir/Patient/_search")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(format!("identifier={}", PATIENT.1)))
        .context("the request cannot be made")?;
    let (head, body) = door.send(request).await?.into_parts();
    ensure!(
        head.status == StatusCode::OK,
        "the search is refused ({}): {}",
        head.status,
        String::from_utf8_lossy(&body)
    );
    serde_json::from_slice(&body).context("the search's answer cannot be understood")
}
