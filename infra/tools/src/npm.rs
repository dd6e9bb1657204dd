//! Packages of npm.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::Python;
use crate::once;
use crate::packages::run_quietly;
use progress::Progress;

/// Packages in a folder of their own, as a lock file names them.
#[derive(Clone, Copy, Debug)]
pub struct Npm {
    /// The name of the folder in the cache. It holds a version: another version is another folder.
    pub name: &'static str,
    /// The environment that holds node and npm.
    pub node: Python,
    /// `package.json`, `package-lock.json`, and what else is written into the folder.
    pub files: &'static [(&'static str, &'static str)],
}

impl Npm {
    /// Installs them if they are missing, and returns the folder that has `node_modules`.
    ///
    /// # Errors
    /// When node or the packages are not available.
    pub fn obtain(&self, progress: Progress) -> anyhow::Result<PathBuf> {
        once(self.name, |folder| self.install(folder, progress))
    }

    /// A command that starts node, which trusts the CAs of this system.
    ///
    /// # Errors
    /// When node is not available.
    pub fn node(&self, progress: Progress) -> anyhow::Result<Command> {
        self.command("node", progress)
    }

    fn install(&self, folder: &Path, progress: Progress) -> anyhow::Result<()> {
        let mut npm = self.command("npm", progress)?;
        let step = progress.step(&format!("installing {} for this user", self.name));
        self.write(folder, |name| !name.starts_with("node_modules"))?;
        // Scripts would fetch from elsewhere; what they make is among the files.
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        run_quietly(npm.current_dir(folder).args(arguments))
            .with_context(|| format!("npm cannot install {}", self.name))?;
        self.write(folder, |name| name.starts_with("node_modules"))?;
        step.done();
        Ok(())
    }

    fn write(&self, folder: &Path, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        for (name, text) in self.files.iter().filter(|(name, _)| wanted(name)) {
            let path = folder.join(name);
            path.parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| fs::write(&path, text))
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        Ok(())
    }

    fn command(&self, program: &str, progress: Progress) -> anyhow::Result<Command> {
        let bin = self.node.obtain(progress)?.join("bin");
        // npm starts node by its name.
        let others = env::var_os("PATH").unwrap_or_default();
        let folders = [bin.clone()].into_iter().chain(env::split_paths(&others));
        let path: OsString = env::join_paths(folders).context("the PATH cannot be read")?;
        let mut command = Command::new(bin.join(program));
        command.env("PATH", path).env("NODE_USE_SYSTEM_CA", "1");
        Ok(command)
    }
}
