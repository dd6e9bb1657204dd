//! The rules for dependencies, `.cargo/deny.toml`, checked by cargo-deny.

use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use progress::Progress;
use tokio::process::Command;
use tools::Crate;

use super::step::Counts;
use super::step::StepResult;

/// The version that the rules were written for.
const CARGO_DENY: Crate = Crate {
    name: "cargo-deny",
    version: "0.20.2",
    // It runs for a second: the time to build it matters more.
    optimized: false,
};

/// The advisory database of the rules.
const DATABASE_URL: &str = "https://github.com/rustsec/advisory-db";

/// The variable that names a clone of the advisory database.
const DATABASE_VARIABLE: &str = "STACK_ADVISORY_DB";

/// Upper bound of the time in which the advisory database is fetched.
const FETCH_TIMEOUT: Duration = Duration::from_mins(1);

/// Checks bans, licences and sources; and advisories, where their database is available. Where it is
/// not, the result counts a skipped check.
pub(super) async fn check(root: &Path) -> anyhow::Result<StepResult> {
    let deny = Deny {
        program: CARGO_DENY.obtain(Progress::shown())?,
        root: root.to_path_buf(),
    };
    deny.check(&["bans", "licenses", "sources"], None).await?;
    let rules = deny.rules_with_database()?;
    if !deny.fetch(&rules).await {
        println!(
            "advisories were not checked: their database cannot be fetched from {DATABASE_URL}; on a machine without \
             network access, set {DATABASE_VARIABLE} to the folder of a clone of it"
        );
        return Ok(StepResult::Done(Counts {
            skipped: 1,
            ..Counts::default()
        }));
    }
    deny.check(&["advisories"], Some(&rules)).await?;
    Ok(StepResult::Done(Counts::default()))
}

/// cargo-deny, and the workspace that it checks.
struct Deny {
    program: PathBuf,
    root: PathBuf,
}

impl Deny {
    /// Runs checks by the rules of the repository or by those of another file.
    async fn check(&self, checks: &[&str], rules: Option<&Path>) -> anyhow::Result<()> {
        let mut command = self.command();
        command.args(["--all-features", "check"]);
        if let Some(rules) = rules {
            command.arg("--config").arg(rules);
        }
        let status = command.args(checks).status().await;
        if !status.context("cargo-deny cannot be started")?.success() {
            bail!("a dependency breaks a rule of .cargo/deny.toml: see above");
        }
        Ok(())
    }

    /// Whether the advisory database was fetched.
    async fn fetch(&self, rules: &Path) -> bool {
        let mut command = self.command();
        command.arg("fetch").arg("--config").arg(rules).arg("db");
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, command.status()).await;
        matches!(fetched, Ok(Ok(status)) if status.success())
    }

    /// Writes the rules with the database that [`DATABASE_VARIABLE`] names, if it is set.
    fn rules_with_database(&self) -> anyhow::Result<PathBuf> {
        let rules = fs::read_to_string(self.root.join(".cargo/deny.toml"))
            .context(".cargo/deny.toml cannot be read")?;
        let rules = match env::var_os(DATABASE_VARIABLE).filter(|folder| !folder.is_empty()) {
            Some(folder) => {
                let folder = fs::canonicalize(&folder)
                    .with_context(|| format!("{DATABASE_VARIABLE} names no folder"))?;
                rules.replace(DATABASE_URL, &format!("file://{}", folder.display()))
            }
            None => rules,
        };
        let path = self.root.join("target/deny.toml");
        fs::write(&path, rules).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.root).kill_on_drop(true);
        command
    }
}
