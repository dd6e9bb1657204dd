//! The regression tests of the OWASP Core Rule Set, from Debian's sources of it.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::bail;
use serde::Deserialize;

use progress::Progress;
use tools::Python;
use tools::once;
use tools::packages::debian_mirror;
use tools::packages::run_quietly;

/// Debian 13's source archive: path and SHA-256.
const SOURCES: &str = "pool/main/m/modsecurity-crs/modsecurity-crs_3.3.7.orig.tar.gz";
const SHA256: &str = "3b8cb35f0f00a24712f02b3edad2ec8e92626ed2dddaf6363219cbe8125749ea";

/// The Python environment with the YAML parser.
const YAML: Python = Python {
    name: "pyyaml",
    requirements: include_str!("../../requirements/pyyaml.txt"),
};

const CASES: &str = include_str!("../../programs/crs/cases.py");

/// A request that the rules have to detect.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// The rule's number and the test's.
    pub title: String,
    /// The family of rules: `942` is SQL.
    pub family: String,
    /// The whole request, where it is given as bytes.
    pub raw: Option<String>,
    /// Its method.
    pub method: String,
    /// Its target, which need not be well-formed.
    pub target: String,
    /// Its headers, by name and value.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

/// The requests that the injection rules have to detect.
///
/// # Errors
/// When the sources or the YAML parser cannot be installed.
pub fn cases(progress: Progress) -> anyhow::Result<Vec<Case>> {
    let sources = obtain(progress)?;
    let python = YAML.obtain(progress)?.join("bin/python");
    let output = Command::new(python)
        .args(["-c", CASES])
        .arg(sources)
        .output()
        .context("Python cannot be started")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("the cases are not valid JSON")
}

fn obtain(progress: Progress) -> anyhow::Result<PathBuf> {
    once("crs-3.3.7", |folder| {
        let step = progress.step("fetching the regression tests of the Core Rule Set");
        std::fs::create_dir_all(folder).context("the folder cannot be made")?;
        let archive = folder.join("sources.tar.gz");
        fetch(&archive)?;
        run_quietly(
            Command::new("tar")
                .arg("-xzf")
                .arg(&archive)
                .arg("-C")
                .arg(folder),
        )?;
        step.done();
        Ok(())
    })
}

/// Downloads the archive with apt's helper, which also verifies its SHA-256.
fn fetch(archive: &Path) -> anyhow::Result<()> {
    let address = format!("{}/{SOURCES}", debian_mirror()?.trim_end_matches('/'));
    run_quietly(
        Command::new("/usr/lib/apt/apt-helper")
            .args(["download-file", &address])
            .arg(archive)
            .arg(format!("SHA256:{SHA256}")),
    )
    .with_context(|| format!("{address} cannot be fetched"))
}
