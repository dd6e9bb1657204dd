//! Packages of `PyPI`.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use sha2::Digest;
use sha2::Sha256;

use crate::once;
use crate::packages;
use crate::packages::run_quietly;
use progress::Progress;

/// The build backend of packages that have no wheel. `pip` would otherwise fetch one without a hash.
const BUILD: &str = include_str!("../requirements/build.txt");

/// Packages in a Python environment of their own.
#[derive(Clone, Copy, Debug)]
pub struct Python {
    /// The name of the environment, without a version.
    pub name: &'static str,
    /// The requirements file that `pip-compile` made: each package with its version and hashes.
    pub requirements: &'static str,
}

impl Python {
    /// Installs the packages if they are missing, and returns the environment's folder, whose `bin` has their
    /// programs.
    ///
    /// # Errors
    /// When Python or the packages are not available, or a package does not have its hash.
    pub fn obtain(&self, progress: Progress) -> anyhow::Result<PathBuf> {
        once(&self.folder(), |folder| self.install(folder, progress))
    }

    /// The name of the environment's folder in the cache: other requirements are another folder.
    fn folder(&self) -> String {
        let digest = Sha256::new()
            .chain_update(BUILD)
            .chain_update(self.requirements)
            .finalize();
        format!("{}-{:.8}", self.name, hex::encode(digest))
    }

    fn install(&self, folder: &Path, progress: Progress) -> anyhow::Result<()> {
        let environment = || run_quietly(Command::new("python3").args(["-m", "venv"]).arg(folder));
        // Debian has `venv` in a package of its own.
        if environment().is_err() {
            let _ = fs::remove_dir_all(folder);
            packages::install(&["python3", "python3-venv"], progress)?;
            environment().context("a Python environment cannot be made")?;
        }
        let step = progress.step(&format!("installing {} for this user", self.name));
        pip_install(folder, "build.txt", BUILD)
            .and_then(|()| pip_install(folder, "requirements.txt", self.requirements))
            .with_context(|| format!("pip cannot install {}", self.name))?;
        step.done();
        Ok(())
    }
}

/// Installs a requirements file into an environment. What has no wheel is built with what is installed there.
fn pip_install(environment: &Path, name: &str, requirements: &str) -> anyhow::Result<()> {
    let file = environment.join(name);
    fs::write(&file, requirements)
        .with_context(|| format!("{} cannot be written", file.display()))?;
    run_quietly(
        Command::new(environment.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(["--no-build-isolation", "--use-pep517"])
            .args(["--require-hashes", "--requirement"])
            .arg(file),
    )
}

#[cfg(test)]
mod tests;
