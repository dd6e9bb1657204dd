//! Packages of `PyPI`.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::once;
use crate::packages;
use crate::packages::run_quietly;
use progress::Progress;

/// Packages in a Python environment of their own.
#[derive(Clone, Copy, Debug)]
pub struct Python {
    /// The name of the environment's folder in the cache. It holds a version: another version is
    /// another folder.
    pub name: &'static str,
    /// What is installed, each with its exact version.
    pub packages: &'static [&'static str],
}

impl Python {
    /// Installs them if they are missing, and returns the environment's folder, whose `bin` has their
    /// programs.
    ///
    /// # Errors
    /// When Python or the packages are not available.
    pub fn obtain(&self, progress: Progress) -> anyhow::Result<PathBuf> {
        once(self.name, |folder| self.install(folder, progress))
    }

    fn install(&self, folder: &Path, progress: Progress) -> anyhow::Result<()> {
        let environment = || run_quietly(Command::new("python3").args(["-m", "venv"]).arg(folder));
        // Debian has `venv` in a package of its own.
        if environment().is_err() {
            let _ = fs::remove_dir_all(folder);
            packages::install(&["python3", "python3-venv"], progress)?;
            environment().context("a Python environment cannot be made")?;
        }
        let step = progress.step(&format!(
            "installing {} for this user",
            self.packages.join(", ")
        ));
        run_quietly(
            Command::new(folder.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check"])
                .args(self.packages),
        )
        .with_context(|| format!("pip cannot install {}", self.packages.join(", ")))?;
        step.done();
        Ok(())
    }
}
