//! The rule files for cfn-guard, and its reports.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::error::InputError;
use crate::source_file;
use crate::verdict::Verdict;
use crate::yaml;

/// The rule files of a folder, each with the names of its rules.
///
/// # Errors
/// When the folder cannot be read, or two rules have one name.
pub fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<String>>, InputError> {
    let files = source_file::read_with_extension(folder, "guard")?.into_iter();
    let files: BTreeMap<PathBuf, Vec<String>> =
        files.map(|file| (file.path, names(&file.text))).collect();
    let mut all: Vec<&String> = files.values().flatten().collect();
    all.sort();
    let duplicate = all
        .iter()
        .zip(all.iter().skip(1))
        .find(|(one, next)| one == next);
    match duplicate {
        Some((name, _)) => Err(InputError::new(format!("two rules have the name {name}"))),
        None => Ok(files),
    }
}

/// The names of the rules in a file. A rule with parameters is a helper of others and not counted.
fn names(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("rule "));
    let named = lines.filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let (name, behind) = rest.split_at(end);
        (!behind.starts_with('(')).then(|| name.to_owned())
    });
    named.collect()
}

/// The text of a rule file reduced to one rule and the variables and rules that it uses. With one rule for many
/// documents, cfn-guard is several times as fast on it.
#[must_use]
pub fn isolate_rule(text: &str, name: &str) -> String {
    let blocks = blocks(text);
    let mut required = vec![name];
    let mut kept = BTreeSet::new();
    while let Some(name) = required.pop() {
        let found = blocks.iter().position(|block| block.name == Some(name));
        let Some((index, block)) = found.and_then(|index| Some((index, blocks.get(index)?))) else {
            continue;
        };
        if kept.insert(index) {
            let others = blocks.iter().filter_map(|block| block.name);
            required.extend(others.filter(|other| block.text.contains(other)));
        }
    }
    let kept = kept.into_iter().filter_map(|index| blocks.get(index));
    kept.map(|block| block.text.as_str()).collect()
}

/// A rule, a variable, or the lines between them.
struct Block<'t> {
    name: Option<&'t str>,
    text: String,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut is_rule = false;
    for line in text.lines() {
        let begun = line
            .strip_prefix("rule ")
            .or_else(|| line.strip_prefix("let "));
        let is_between = !is_rule && (line.is_empty() || line.starts_with('#'));
        if begun.is_some() || is_between || blocks.is_empty() {
            let word = |rest: &'_ str| rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let name = begun.and_then(|rest| rest.get(..word(rest)?));
            is_rule = line.starts_with("rule ");
            blocks.push(Block {
                name,
                text: String::new(),
            });
        }
        if let Some(block) = blocks.last_mut() {
            block.text.push_str(line);
            block.text.push('\n');
        }
        is_rule &= line != "}";
    }
    blocks
}

#[derive(Deserialize)]
struct Report {
    name: String,
    #[serde(default)]
    not_compliant: Vec<Value>,
    #[serde(default)]
    not_applicable: Vec<String>,
    #[serde(default)]
    compliant: Vec<String>,
}

/// The verdicts in a report of `cfn-guard validate --structured --output-format json`, by the document's name.
///
/// # Errors
/// When the report cannot be parsed.
pub fn verdicts(report: &str) -> Result<BTreeMap<String, Vec<Verdict>>, InputError> {
    let reports: Vec<Report> = serde_json::from_str(report).map_err(|error| {
        InputError::new(format!("cfn-guard's report cannot be parsed: {error}"))
    })?;
    let mut found: BTreeMap<String, Vec<Verdict>> = BTreeMap::new();
    for report in reports {
        let of_document = found.entry(report.name).or_default();
        let passed = report
            .compliant
            .into_iter()
            .map(|name| verdict(&name, true, String::new()));
        of_document.extend(passed);
        let nothing = "the rule applies to no resource";
        let skipped = report.not_applicable.into_iter();
        of_document.extend(skipped.map(|name| verdict(&name, false, nothing.to_owned())));
        of_document.extend(report.not_compliant.iter().map(|failure| {
            let name = failure.pointer("/Rule/name").and_then(Value::as_str);
            verdict(
                name.unwrap_or_default(),
                false,
                messages(failure).join("; "),
            )
        }));
    }
    Ok(found)
}

fn verdict(name: &str, passed: bool, message: String) -> Verdict {
    Verdict {
        rule: format!("guard/{name}"),
        passed,
        message,
    }
}

/// The custom messages of a failed rule, each with the path of the property; at most eight.
fn messages(failure: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(failure, &mut found);
    found.dedup();
    found.truncate(8);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    if let Some(custom) = value
        .pointer("/messages/custom_message")
        .and_then(Value::as_str)
        && !custom.trim().is_empty()
    {
        let at = value.get("check").and_then(path_of).unwrap_or_default();
        found.push(format!("{at} {}", custom.trim()).trim().to_owned());
    }
    members(value).for_each(|inner| collect(inner, found));
}

/// The first path in a check.
fn path_of(check: &Value) -> Option<&str> {
    let own = check.get("path").and_then(Value::as_str);
    own.filter(|path| !path.is_empty())
        .or_else(|| members(check).find_map(path_of))
}

fn members(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Object(object) => Box::new(object.values()),
        Value::Array(items) => Box::new(items.iter()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Box::new(std::iter::empty())
        }
    }
}

/// The unit cases in a folder's `tests`, counted by rule.
///
/// # Errors
/// When a file cannot be read or parsed.
pub fn unit_cases(folder: &Path) -> Result<BTreeMap<String, UnitCases>, InputError> {
    let mut counted: BTreeMap<String, UnitCases> = BTreeMap::new();
    for file in source_file::read_with_extension(&folder.join("tests"), "yaml")? {
        let document = yaml::parse(&file.text).map_err(|error| file.error(error))?;
        let expected = document.as_array().into_iter().flatten();
        let expected = expected.filter_map(|case| case.pointer("/expectations/rules")?.as_object());
        for (rule, outcome) in expected.flatten() {
            let cases = counted.entry(format!("guard/{rule}")).or_default();
            match outcome.as_str() {
                Some("PASS") => cases.passes += 1,
                Some("FAIL") => cases.fails += 1,
                _ => {}
            }
        }
    }
    Ok(counted)
}

/// The numbers of unit cases of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitCases {
    /// Cases that the rule must accept.
    pub passes: u32,
    /// Cases that the rule must refuse.
    pub fails: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_found_by_their_names_and_helpers_are_not() {
        let text = "let a = 1\nrule one_thing {\n}\nrule other_thing when one_thing {\n}\nrule helper(x) {\n}\n";
        assert_eq!(names(text), ["one_thing", "other_thing"]);
        let both = "rule one_thing {\n}\nrule other_thing when one_thing {\n}\n";
        assert_eq!(isolate_rule(text, "other_thing"), both);
        let text = "let a = 1\nlet b =\n  %a\nlet c = 3\nrule one {\n  %b == 1\n}\n";
        assert_eq!(isolate_rule(text, "one"), text.replace("let c = 3\n", ""));
    }
}
