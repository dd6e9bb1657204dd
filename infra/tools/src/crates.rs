//! Programs that cargo installs.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::once;
use crate::packages::run_quietly;
use crate::workspace;
use progress::Progress;

/// A program of crates.io, built once on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Crate {
    /// Its name, and its program's.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
    /// Whether it works long enough that building it slowly pays.
    pub optimized: bool,
}

impl Crate {
    /// Builds it if it is missing, and returns its program.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn obtain(self, progress: Progress) -> anyhow::Result<PathBuf> {
        let Self { name, version, .. } = self;
        let folder = once(&format!("{name}-{version}"), |folder| {
            self.install(folder, progress)
        })?;
        Ok(folder.join("bin").join(name))
    }

    fn install(self, folder: &Path, progress: Progress) -> anyhow::Result<()> {
        let Self { name, version, .. } = self;
        let step = progress.step(&format!(
            "building {name} {version} for this user (minutes)"
        ));
        let build = folder.join("build");
        run_quietly(
            Command::new(workspace::cargo())
                .args([
                    "install",
                    name,
                    "--locked",
                    "--debug",
                    "--version",
                    version,
                    "--root",
                ])
                .arg(folder)
                .env("CARGO_TARGET_DIR", &build)
                .env("CARGO_PROFILE_DEV_DEBUG", "0")
                .env(
                    "CARGO_PROFILE_DEV_OPT_LEVEL",
                    if self.optimized { "2" } else { "0" },
                ),
        )
        .with_context(|| format!("{name} cannot be installed"))?;
        std::fs::remove_dir_all(&build)
            .with_context(|| format!("the build of {name} cannot be removed"))?;
        step.done();
        Ok(())
    }
}
