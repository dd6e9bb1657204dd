//! Checks a folder of example resources, one a file: each of a stored type must be valid and keep its value,
//! and has an owner or a reason why it has none.
//!
//! `cargo run -p fhir --example check_resources -- FOLDER`. HL7's own are in the npm package
//! `hl7.fhir.r4.examples`. Ids are replaced by UUIDs first, because the server takes no others.

use std::collections::BTreeMap;
use std::error::Error;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use fhir::Issue;
use fhir::Issues;
use fhir::Resource;
use fhir::ResourceType;
use fhir::SensitiveJson;
use fhir::refused_reason;
use serde_json::Value;
use uuid::Uuid;

#[path = "check_resources/tokens.rs"]
mod tokens;

/// The outcome of one file.
enum Outcome {
    /// Owned by a patient.
    Patient,
    /// Owned by the organization.
    Organization,
    /// Of a type that is not stored, about no patient, or about several.
    Refused(String),
    /// Invalid.
    Invalid(Vec<String>),
    /// Valid, and changed.
    Changed,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("usage: check_resources FOLDER")?;
    let mut counts: BTreeMap<(&str, String), BTreeMap<String, usize>> = BTreeMap::new();
    let mut out = std::io::stdout().lock();
    let mut is_same = true;
    let mut paths = Vec::new();
    for file in std::fs::read_dir(&folder)? {
        paths.push(file?.path());
    }
    paths.sort();
    for path in paths {
        let Some((name, outcome)) = check(&path)? else {
            continue;
        };
        let key = match outcome {
            Outcome::Patient => ("a patient's", String::new()),
            Outcome::Organization => ("the organization's", String::new()),
            Outcome::Refused(reason) => ("refused", reason),
            Outcome::Invalid(issues) => {
                for issue in issues {
                    writeln!(out, "{}: {issue}", path.display())?;
                }
                ("invalid", String::new())
            }
            Outcome::Changed => {
                is_same = false;
                writeln!(out, "{}: its value changes", path.display())?;
                ("changed", String::new())
            }
        };
        *counts.entry(key).or_default().entry(name).or_default() += 1;
    }
    for ((outcome, reason), types) in &counts {
        let total: usize = types.values().sum();
        let types: Vec<_> = types
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        writeln!(out, "{total} {outcome}: {reason}\n    {}", types.join(", "))?;
    }
    Ok(if is_same {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The type and the outcome of a file; none for one that is not a resource.
fn check(path: &Path) -> Result<Option<(String, Outcome)>, Box<dyn Error>> {
    if path.extension().is_none_or(|extension| extension != "json") {
        return Ok(None);
    }
    let sent = std::fs::read(path)?;
    let Ok(mut document) = serde_json::from_slice::<Value>(&sent) else {
        return Ok(None);
    };
    let Some(name) = document.get("resourceType").and_then(Value::as_str) else {
        return Ok(None);
    };
    let name = name.to_owned();
    let outcome = match refused_reason(&name) {
        Some(reason) => Outcome::Refused(reason.to_owned()),
        None => outcome(&sent, &mut document),
    };
    Ok(Some((name, outcome)))
}

fn outcome(sent: &[u8], document: &mut Value) -> Outcome {
    let resource = match validated(sent) {
        Ok(resource) => resource,
        Err(issues) => return Outcome::Invalid(issues),
    };
    if !tokens::same_resource(sent, &resource.to_bytes()) {
        return Outcome::Changed;
    }
    replace_ids(document);
    let resource = match validated(document.to_string().as_bytes()) {
        Ok(resource) => resource,
        Err(issues) => return Outcome::Invalid(issues),
    };
    match resource.owner(resource.resource_type().name()) {
        Ok(Some(_)) => Outcome::Patient,
        Ok(None) => Outcome::Organization,
        Err(issue) => Outcome::Refused(issue.diagnostics.to_string()),
    }
}

/// The resource; otherwise its issues.
fn validated(sent: &[u8]) -> Result<Resource, Vec<String>> {
    let parsed = SensitiveJson::parse(sent).map_err(Into::into);
    let resource = parsed.and_then(|document| Resource::validate(document, None));
    resource.map_err(|issues: Issues| {
        let path = |it: &Issue| it.expression.clone().unwrap_or_default();
        let issue = |it: &Issue| format!("{}: {}", path(it), it.diagnostics);
        issues.listed().iter().map(issue).collect()
    })
}

/// Replaces the resource's id and the ids of relative references by UUIDs.
fn replace_ids(document: &mut Value) {
    if let Some(id) = document.get_mut("id") {
        *id = Value::String(uuid_of(&id.to_string()).to_string());
    }
    replace_references(document);
}

fn replace_references(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(replace_references),
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("reference")
                && let Some((name, id)) = reference.split_once('/')
                && name.parse::<ResourceType>().is_ok()
                && !id.contains('/')
            {
                *reference = format!("{name}/{}", uuid_of(&Value::from(id).to_string()));
            }
            members.values_mut().for_each(replace_references);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A UUID that follows from an id.
fn uuid_of(id: &str) -> Uuid {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let bytes = [hasher.finish().to_be_bytes(), id.len().to_be_bytes()].concat();
    let mut hash = [0; 16];
    hash.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    uuid::Builder::from_random_bytes(hash).into_uuid()
}
