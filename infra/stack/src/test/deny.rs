//! What the dependencies must not be: `.cargo/deny.toml`, checked by cargo-deny.

use std::path::Path;

use anyhow::Context;
use anyhow::bail;
use tokio::process::Command;

use super::step::Counts;
use super::step::StepResult;
use progress::Progress;
use tools::Crate;

/// The version the rules were written for.
const CARGO_DENY: Crate = Crate {
    name: "cargo-deny",
    version: "0.20.2",
    // It runs for a second: what it costs to build matters more.
    optimized: false,
};

/// Checks bans, licences and sources. Advisories need a database that is not in any registry, so
/// they are left to a machine that can fetch it: `cargo deny check advisories`.
pub(super) async fn check(root: &Path) -> anyhow::Result<StepResult> {
    let program = CARGO_DENY.obtain(Progress::shown())?;
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
