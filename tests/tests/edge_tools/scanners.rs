//! What scanners of TLS say about a running stack's edge. They trust its public CA, as its users' machines do.

use std::process::Command;
use std::process::Output;

use serde_json::Value;
use tests::Running;
use tests::edge::Plan;
use tests::scanners;

/// What testssl.sh finds wrong with a certificate that names no place to ask whether it was revoked. Ours
/// name none by decision: they are short-lived, and replaced while the edge runs.
const NOT_REVOCABLE: &str = "cert_revocation";

/// Severities that nothing may have.
const SERIOUS: [&str; 4] = ["MEDIUM", "HIGH", "CRITICAL", "FATAL"];

pub(super) fn port(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}

/// Runs a scanner to its end without blocking the others.
pub(super) async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// What `sslyze` says about a port of ours against one of Mozilla's configurations.
async fn sslyze(port: u16, authority: std::path::PathBuf, configuration: &str) -> (bool, String) {
    let mut command = Command::new(scanners::sslyze().unwrap());
    command
        .arg(format!("--mozilla_config={configuration}"))
        .arg("--certinfo_ca_file")
        .arg(authority)
        .arg(format!("localhost:{port}"));
    let output = run(command).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), said)
}

#[tokio::test]
async fn sslyze_finds_mozillas_modern_configuration() {
    let running = Running::shared().unwrap();
    let authority = running.status.certificates.join("public/ca.pem");
    let port = port(&running.status.web.address);
    let (passed, said) = sslyze(port, authority, "modern").await;
    let compliant = format!("localhost:{port}: OK - Compliant.");
    assert!(passed && said.contains(&compliant), "{said}");
    // It would call a certificate compliant that nobody trusts.
    let own = said
        .lines()
        .find(|line| line.trim_start().starts_with("Supplied CA file"));
    assert!(
        own.is_some_and(|line| line.ends_with("OK - Certificate is trusted")),
        "{said}"
    );
}

#[tokio::test]
async fn sslyze_sees_that_tls_1_2_is_not_modern_and_that_ours_is_intermediate() {
    let edge = Plan::of(1)
        .host("localhost")
        .variable("WEB_TLS12", "true")
        .start()
        .await
        .unwrap();
    let authority = edge.certificates.path("public/ca.pem");
    let (passed, said) = sslyze(edge.web.port, authority.clone(), "modern").await;
    assert!(
        !passed && said.contains("FAILED - Not compliant."),
        "{said}"
    );
    let (passed, said) = sslyze(edge.web.port, authority, "intermediate").await;
    assert!(passed && said.contains("OK - Compliant."), "{said}");
}

#[tokio::test]
async fn testssl_finds_nothing_serious() {
    let running = Running::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("findings.json");
    let mut command = Command::new(scanners::testssl().unwrap());
    command
        .args(["--quiet", "--color", "0", "--warnings", "off", "--add-ca"])
        .arg(running.status.certificates.join("public/ca.pem"))
        .arg("--jsonfile")
        .arg(&file)
        .arg(format!("localhost:{}", port(&running.status.web.address)))
        // Its thresholds, 60 and 30 days, are for certificates of a year; ours last 30 days.
        .env("DAYS2WARN1", "10")
        .env("DAYS2WARN2", "5");
    let output = run(command).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let findings: Value = serde_json::from_slice(&std::fs::read(&file).unwrap())
        .unwrap_or_else(|error| panic!("{error}: {said}"));
    let findings = findings.as_array().unwrap();
    let found = |id: &str| findings.iter().find(|finding| finding["id"] == id);
    // It went to its end, and spoke TLS 1.3 with us.
    assert!(found("scanTime").is_some(), "{said}");
    assert_eq!(found("TLS1_3").unwrap()["severity"], "OK", "{said}");
    assert_eq!(
        found("cert_chain_of_trust").unwrap()["severity"],
        "OK",
        "{said}"
    );
    let serious: Vec<&Value> = findings
        .iter()
        .filter(|finding| {
            SERIOUS
                .iter()
                .any(|severity| finding["severity"] == *severity)
        })
        .filter(|finding| finding["id"] != NOT_REVOCABLE)
        .collect();
    assert!(serious.is_empty(), "{serious:#?}");
}
