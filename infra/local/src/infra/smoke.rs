//! A smoke test: the assembled documents created in `moto`, as far as it knows their resources.
//!
//! It shows that references lead somewhere and that nothing is refused which an emulator can refuse.
//! It is no proof of anything about posture: moto skips types, keeps few properties and enforces none.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;

use super::project::ENVIRONMENTS;
use super::project::Project;
use crate::progress::Progress;
use crate::tools;

/// What came of an environment.
#[derive(Debug, Deserialize)]
pub(super) struct Smoke {
    /// So many resources were created.
    created: u64,
    /// Those that moto itself fails at, with what it says.
    refused: BTreeMap<String, String>,
    /// So many are of types that it does not know.
    skipped: u64,
    /// These types.
    types: Vec<String>,
    /// References that lead nowhere, and resources that were not created.
    pub(super) faults: Vec<String>,
}

/// Creates both environments.
///
/// # Errors
/// When moto cannot be had, or fails as a whole.
pub(super) fn smoke(
    project: &Project,
    progress: Progress,
) -> anyhow::Result<BTreeMap<String, Smoke>> {
    let folder = tempfile::tempdir().context("a folder for documents cannot be made")?;
    let mut names = BTreeMap::new();
    for name in ENVIRONMENTS {
        let path = folder.path().join(format!("{name}.json"));
        let document = project.architecture(name)?.document();
        fs::write(&path, document.to_string())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        names.insert(path, name.to_owned());
    }
    let paths: Vec<PathBuf> = names.keys().cloned().collect();
    let step = progress.step("creating the environments in moto");
    let said: BTreeMap<PathBuf, Smoke> = tools::ask(&mut tools::moto(progress)?, &paths)?;
    step.done();
    let by_name = said.into_iter().map(|(path, smoke)| {
        let name = names.get(&path).cloned().unwrap_or_default();
        (name, smoke)
    });
    Ok(by_name.collect())
}

impl fmt::Display for Smoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        for (id, why) in &self.refused {
            writeln!(f, "moto fails at {id}: {why}")?;
        }
        writeln!(
            f,
            "{} created in moto; {} skipped, of types that it does not know: {}",
            self.created,
            self.skipped,
            self.types.join(", ")
        )
    }
}
