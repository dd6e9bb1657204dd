//! What the dependencies must not be: `.cargo/deny.toml`, checked by cargo-deny.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tokio::process::Command;

use super::step::{Counts, StepResult};
use crate::progress::Progress;
use crate::workspace;

/// The version the rules were written for.
const VERSION: &str = "0.20.2";

/// Checks bans, licences and sources. Advisories need a database that is not in any registry, so
/// they are left to a machine that can fetch it: `cargo deny check advisories`.
pub(super) async fn check(root: &Path) -> anyhow::Result<StepResult> {
    let program = obtain().await?;
    let status = Command::new(program)
        .current_dir(root)
        .args(["--all-features", "check", "bans", "licenses", "sources"])
        .kill_on_drop(true)
        .status()
        .await
        .context("cargo-deny cannot be started")?;
    if !status.success() {
        bail!("a dependency breaks a rule of .cargo/deny.toml: see above");
    }
    Ok(StepResult::Done(Counts::default()))
}

async fn obtain() -> anyhow::Result<PathBuf> {
    let folder = workspace::cache()?.join("cargo-deny");
    let program = folder.join("bin/cargo-deny");
    if program.is_file() {
        return Ok(program);
    }
    let what = format!(
        "installing cargo-deny {VERSION} into {} (minutes)",
        folder.display()
    );
    let step = Progress::shown().step(&what);
    let build = folder.join("build");
    let output = Command::new(workspace::cargo())
        .args([
            "install",
            "cargo-deny",
            "--locked",
            "--version",
            VERSION,
            "--debug",
            "--root",
        ])
        .arg(&folder)
        .env("CARGO_TARGET_DIR", &build)
        // It runs for a second: what it costs to build matters more.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .kill_on_drop(true)
        .output()
        .await
        .context("cargo cannot be started")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("cargo-deny cannot be installed:\n{said}");
    }
    std::fs::remove_dir_all(&build).context("cargo-deny's build cannot be removed")?;
    step.done();
    Ok(program)
}
