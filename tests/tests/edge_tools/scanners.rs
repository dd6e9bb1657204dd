//! TLS scanners against the edge of a running stack. They trust its public CA, as the computers of
//! its users do.

use std::process::Command;
use std::process::Output;

use serde_json::Value;
use tests::RunningStack;
use tests::edge::EdgeBuilder;
use tests::scanners;

/// The finding of testssl.sh that a certificate names no revocation service. Certificates of the
/// stack name none by decision: they are short-lived, and renewed without a restart.
const NOT_REVOCABLE: &str = "cert_revocation";

/// Severities that no finding may have.
const SERIOUS_SEVERITIES: [&str; 4] = ["MEDIUM", "HIGH", "CRITICAL", "FATAL"];

pub(super) fn port(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}

/// Runs a scanner without blocking the other tests.
pub(super) async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// Whether a port complies with one of Mozilla's configurations by `sslyze`, and its output.
async fn sslyze(port: u16, authority: std::path::PathBuf, configuration: &str) -> (bool, String) {
    let mut command = Command::new(scanners::sslyze().unwrap());
    command
        .arg(format!("--mozilla_config={configuration}"))
        .arg("--certinfo_ca_file")
        .arg(authority)
        .arg(format!("localhost:{port}"));
    let output = run(command).await;
    let output_text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), output_text)
}

#[tokio::test]
async fn sslyze_reports_mozillas_modern_configuration() {
    let running = RunningStack::shared().unwrap();
    let authority = running.status.certificates.join("public/ca.pem");
    let port = port(&running.status.web.address);
    let (passed, output_text) = sslyze(port, authority, "modern").await;
    let compliant = format!("localhost:{port}: OK - Compliant.");
    assert!(passed && output_text.contains(&compliant), "{output_text}");
    // A certificate that no CA vouches for would also be called compliant.
    let own = output_text
        .lines()
        .find(|line| line.trim_start().starts_with("Supplied CA file"));
    assert!(
        own.is_some_and(|line| line.ends_with("OK - Certificate is trusted")),
        "{output_text}"
    );
}

#[tokio::test]
async fn sslyze_reports_tls_1_2_as_intermediate_and_not_as_modern() {
    let edge = EdgeBuilder::with_origins(1)
        .host("localhost")
        .variable("WEB_TLS12", "true")
        .start()
        .await
        .unwrap();
    let authority = edge.certificates.path("public/ca.pem");
    let (passed, output_text) = sslyze(edge.web.port, authority.clone(), "modern").await;
    assert!(
        !passed && output_text.contains("FAILED - Not compliant."),
        "{output_text}"
    );
    let (passed, output_text) = sslyze(edge.web.port, authority, "intermediate").await;
    assert!(
        passed && output_text.contains("OK - Compliant."),
        "{output_text}"
    );
}

#[tokio::test]
async fn testssl_reports_no_serious_finding() {
    let running = RunningStack::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("findings.json");
    let mut command = Command::new(scanners::testssl().unwrap());
    command
        .args(["--quiet", "--color", "0", "--warnings", "off", "--add-ca"])
        .arg(running.status.certificates.join("public/ca.pem"))
        .arg("--jsonfile")
        .arg(&file)
        .arg(format!("localhost:{}", port(&running.status.web.address)))
        // The tool's thresholds, 60 and 30 days, assume certificates of a year; these last 30 days.
        .env("DAYS2WARN1", "10")
        .env("DAYS2WARN2", "5");
    let output = run(command).await;
    let output_text = String::from_utf8_lossy(&output.stdout).into_owned();
    let findings: Value = serde_json::from_slice(&std::fs::read(&file).unwrap())
        .unwrap_or_else(|error| panic!("{error}: {output_text}"));
    let findings = findings.as_array().unwrap();
    let found = |id: &str| findings.iter().find(|finding| finding["id"] == id);
    // The scan was complete, and used TLS 1.3.
    assert!(found("scanTime").is_some(), "{output_text}");
    assert_eq!(found("TLS1_3").unwrap()["severity"], "OK", "{output_text}");
    assert_eq!(
        found("cert_chain_of_trust").unwrap()["severity"],
        "OK",
        "{output_text}"
    );
    let serious: Vec<&Value> = findings
        .iter()
        .filter(|finding| {
            SERIOUS_SEVERITIES
                .iter()
                .any(|severity| finding["severity"] == *severity)
        })
        .filter(|finding| finding["id"] != NOT_REVOCABLE)
        .collect();
    assert!(serious.is_empty(), "{serious:#?}");
}
