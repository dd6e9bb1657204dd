//! Third-party linters on the templates. Each finding is either corrected in the template or suppressed in
//! `infra/aws/findings.toml`, with a reason and an expiry date.

mod linters;
mod suppressions;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use posture::Architecture;
use time::Date;
use time::OffsetDateTime;

use super::findings::Findings;
use super::project::Project;
use linters::Finding;
use linters::Linter;
use progress::Progress;
use suppressions::Suppressions;

/// A finding of a linter, with the template that declares the resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LocatedFinding {
    linter: Linter,
    /// The linter's own name of the rule.
    rule: String,
    /// `<template>/<logical id>`.
    resource: String,
    /// The linter's own message.
    message: String,
}

/// Runs all linters, and compares their findings with `findings.toml`.
///
/// # Errors
/// When a linter cannot be installed or fails, or the templates cannot be assembled.
pub(super) fn check(project: &Project, progress: Progress) -> anyhow::Result<Findings> {
    let suppressions = Suppressions::read(&project.folder.join("findings.toml"))?;
    let environments = project.architectures()?;
    let found = findings(&project.folder.join("templates"), &environments, progress)?;
    let faults = suppressions.check(&found, today());
    let passed = u64::try_from(suppressions.entries.len()).context("too many to count")?;
    Ok(Findings { passed, faults })
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether a suppression is expired depends on the current date"
)]
fn today() -> Date {
    OffsetDateTime::now_utc().date()
}

/// The findings of all linters: cfn-lint's in each template, cdk-nag's in each environment's assembled document, where
/// parameters have values. A finding that environments share is listed once.
fn findings(
    templates: &Path,
    environments: &BTreeMap<String, Architecture>,
    progress: Progress,
) -> anyhow::Result<Vec<LocatedFinding>> {
    let folder = tempfile::tempdir().context("a temporary folder cannot be created")?;
    let documents = write(folder.path(), environments)?;
    let mut unique = BTreeMap::new();
    for linter in Linter::ALL {
        let step = progress.step(&format!("running {linter}"));
        let found = match linter {
            Linter::CfnLint => in_templates(linter, templates, progress)?,
            Linter::CdkNag => in_documents(linter, &documents, progress)?,
        };
        step.done();
        for finding in found {
            let key = (
                finding.linter,
                finding.rule.clone(),
                finding.resource.clone(),
            );
            unique.entry(key).or_insert(finding);
        }
    }
    Ok(unique.into_values().collect())
}

/// Writes each environment as one document; returns the architectures by the paths.
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
    linter: Linter,
    templates: &Path,
    progress: Progress,
) -> anyhow::Result<Vec<LocatedFinding>> {
    let mut located = Vec::new();
    for (path, findings) in linter.run(&yaml_files(templates)?, progress)? {
        let template = path.file_stem().unwrap_or_default().to_string_lossy();
        for finding in findings {
            let resource = format!("{template}/{}", finding.resource);
            located.push(locate(linter, resource, finding));
        }
    }
    Ok(located)
}

fn in_documents(
    linter: Linter,
    documents: &BTreeMap<PathBuf, &Architecture>,
    progress: Progress,
) -> anyhow::Result<Vec<LocatedFinding>> {
    let paths: Vec<PathBuf> = documents.keys().cloned().collect();
    let mut located = Vec::new();
    for (path, findings) in linter.run(&paths, progress)? {
        let architecture = documents.get(&path);
        for finding in findings {
            let resource = architecture.and_then(|all| all.resource(&finding.resource));
            let name = resource.and_then(|found| found.definition.pointer("/Metadata/LogicalId"));
            let name = name.and_then(serde_json::Value::as_str);
            let resource = match (resource, name) {
                (Some(resource), Some(name)) => format!("{}/{name}", resource.stack()),
                _ => finding.resource.clone(),
            };
            located.push(locate(linter, resource, finding));
        }
    }
    Ok(located)
}

fn locate(linter: Linter, resource: String, finding: Finding) -> LocatedFinding {
    LocatedFinding {
        linter,
        rule: finding.rule,
        resource,
        message: finding.message,
    }
}

/// The YAML files of a folder, in order.
fn yaml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("{} cannot be read", folder.display());
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.extension().is_some_and(|found| found == "yaml") {
            files.insert(path);
        }
    }
    Ok(files.into_iter().collect())
}
