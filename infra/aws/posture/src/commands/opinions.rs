//! Second opinions: what public rule sets find in the templates. Each finding either goes away or is
//! named in `infra/aws/findings.toml`, with a reason and a date on which it has to be looked at again.

mod mutants;
mod stays;
mod surroundings;
mod table;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use posture::Architecture;
use time::Date;
use time::OffsetDateTime;

pub(super) use mutants::Mutated;
pub(super) use mutants::Noticed;
pub(super) use mutants::noticed;
use stays::Stays;

use super::check::Found;
use super::project::ENVIRONMENTS;
use super::project::Project;
use progress::Progress;
use tools::Judge;
use tools::Said;

/// Something that a public rule set does not like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// Whose rule it is.
    pub(crate) tool: Judge,
    /// The tool's own name of the rule.
    pub(crate) rule: String,
    /// `<template>/<logical id>`.
    pub(crate) resource: String,
    /// In the tool's words.
    pub(crate) message: String,
}

/// Asks all of them, and holds what they find against `findings.toml`.
///
/// # Errors
/// When a tool cannot be had or fails, or the templates cannot be assembled.
pub(super) fn weigh(project: &Project, progress: Progress) -> anyhow::Result<Found> {
    let stays = Stays::read(&project.folder.join("findings.toml"))?;
    let mut environments = BTreeMap::new();
    for name in ENVIRONMENTS {
        environments.insert(name.to_owned(), project.architecture(name)?);
    }
    let found = findings(&project.folder.join("templates"), &environments, progress)?;
    let faults = stays.judge(&found, today());
    let passed = u64::try_from(stays.stay.len()).context("too many to count")?;
    Ok(Found { passed, faults })
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether an entry expired is a question about today"
)]
fn today() -> Date {
    OffsetDateTime::now_utc().date()
}

/// What all public rule sets find: cfn-lint in each template, the others in each environment's
/// assembled document, where no parameter hides a value. What several environments share is said once.
///
/// # Errors
/// When a tool cannot be had, or fails.
fn findings(
    templates: &Path,
    environments: &BTreeMap<String, Architecture>,
    progress: Progress,
) -> anyhow::Result<Vec<Finding>> {
    let folder = tempfile::tempdir().context("a folder for documents cannot be made")?;
    let documents = write(folder.path(), environments)?;
    let mut found = BTreeMap::new();
    for judge in Judge::ALL {
        let step = progress.step(&format!("asking {judge}"));
        let said = match judge {
            Judge::CfnLint => in_templates(judge, templates, progress)?,
            Judge::Checkov | Judge::CdkNag | Judge::GuardHipaa => {
                in_documents(judge, &documents, progress)?
            }
        };
        step.done();
        for finding in said {
            let key = (finding.tool, finding.rule.clone(), finding.resource.clone());
            found.entry(key).or_insert(finding);
        }
    }
    Ok(found.into_values().collect())
}

/// Writes each environment as one document; gives the architectures by the paths.
fn write<'a>(
    folder: &Path,
    environments: &'a BTreeMap<String, Architecture>,
) -> anyhow::Result<BTreeMap<PathBuf, &'a Architecture>> {
    let mut documents = BTreeMap::new();
    for (name, architecture) in environments {
        let path = folder.join(format!("{name}.json"));
        fs::write(&path, architecture.document().to_string())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        documents.insert(path, architecture);
    }
    Ok(documents)
}

fn in_templates(
    judge: Judge,
    templates: &Path,
    progress: Progress,
) -> anyhow::Result<Vec<Finding>> {
    let said = judge.say(&files(templates, "yaml")?, progress)?;
    let named = said.into_iter().flat_map(|(path, said)| {
        let template = stem(&path);
        said.into_iter()
            .map(move |said| (format!("{template}/{}", said.resource), said))
    });
    Ok(named
        .map(|(resource, said)| finding(judge, resource, said))
        .collect())
}

fn in_documents(
    judge: Judge,
    documents: &BTreeMap<PathBuf, &Architecture>,
    progress: Progress,
) -> anyhow::Result<Vec<Finding>> {
    let paths: Vec<PathBuf> = documents.keys().cloned().collect();
    let mut found = Vec::new();
    for (path, said) in judge.say(&paths, progress)? {
        let architecture = documents.get(&path);
        for said in said {
            let resource = architecture.and_then(|all| all.resource(&said.resource));
            let name = resource.and_then(|found| found.whole.pointer("/Metadata/LogicalId"));
            let name = name.and_then(serde_json::Value::as_str);
            let resource = match (resource, name) {
                (Some(resource), Some(name)) => format!("{}/{name}", resource.stack()),
                _ => said.resource.clone(),
            };
            found.push(finding(judge, resource, said));
        }
    }
    Ok(found)
}

fn finding(tool: Judge, resource: String, said: Said) -> Finding {
    Finding {
        tool,
        rule: said.rule,
        resource,
        message: said.message,
    }
}

/// The files of a folder whose names end so, in order.
fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("{} cannot be read", folder.display());
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.insert(path);
        }
    }
    Ok(files.into_iter().collect())
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}
