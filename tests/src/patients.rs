//! The synthetic patients of `tests/data`, as they were imported.

use std::fs::File;
use std::io::BufReader;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use flate2::bufread::GzDecoder;
use serde_json::Value;

use crate::running_stack::Clinic;

/// The file of one patient.
#[derive(Debug)]
pub struct Bundle {
    /// The path of the file.
    pub path: PathBuf,
    /// The organization that the file was imported into.
    pub clinic: Clinic,
    /// The resources, in the order of the file.
    pub resources: Vec<Value>,
}

impl Bundle {
    /// The Patient resource.
    ///
    /// # Errors
    /// When the file has none.
    pub fn patient(&self) -> anyhow::Result<&Value> {
        self.resources
            .iter()
            .find(|resource| resource["resourceType"] == "Patient")
            .with_context(|| format!("{} has no patient", self.path.display()))
    }
}

/// The files of both organizations.
///
/// # Errors
/// When one cannot be read.
pub fn bundles() -> anyhow::Result<Vec<Bundle>> {
    let mut all = Vec::new();
    for clinic in [Clinic::Riverside, Clinic::Lakeside] {
        let folder = tools::workspace::root()?
            .join("tests/data")
            .join(clinic.first_word().to_lowercase());
        let entries = folder
            .read_dir()
            .with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            all.push(read(
                &entry.context("the folder cannot be read")?.path(),
                clinic,
            )?);
        }
    }
    all.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(all)
}

fn read(path: &Path, clinic: Clinic) -> anyhow::Result<Bundle> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut text = Vec::new();
    GzDecoder::new(BufReader::new(file))
        .read_to_end(&mut text)
        .with_context(|| format!("{} cannot be unpacked", path.display()))?;
    let bundle: Value =
        serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    Ok(Bundle {
        path: path.to_path_buf(),
        clinic,
        resources: entries
            .into_iter()
            .map(|entry| entry["resource"].clone())
            .collect(),
    })
}
