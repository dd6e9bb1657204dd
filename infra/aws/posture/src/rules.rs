//! The rules that are written for cfn-guard, and what it says of them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::fault::Fault;
use crate::folder;
use crate::yaml;

/// What a rule says of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its kind and its name: `guard/logs_are_encrypted`.
    pub rule: String,
    /// Whether it holds. A rule that finds nothing to look at does not.
    pub passed: bool,
    /// What to do, if it does not hold.
    pub message: String,
}

/// The files of a folder, each with the names of its rules.
///
/// # Errors
/// When the folder cannot be read, or a name is given twice.
pub fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<String>>, Fault> {
    let files = folder::files_of(folder, "guard")?.into_iter();
    let files: BTreeMap<PathBuf, Vec<String>> =
        files.map(|file| (file.path, names(&file.text))).collect();
    let mut all: Vec<&String> = files.values().flatten().collect();
    all.sort();
    let twice = all
        .iter()
        .zip(all.iter().skip(1))
        .find(|(one, next)| one == next);
    match twice {
        Some((name, _)) => Err(Fault::new(format!("two rules have the name {name}"))),
        None => Ok(files),
    }
}

/// The names of the rules in a file's text. A rule with parameters is called by others and is none.
fn names(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("rule "));
    let named = lines.filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let (name, behind) = rest.split_at(end);
        (!behind.starts_with('(')).then(|| name.to_owned())
    });
    named.collect()
}

/// A file's text with one of its rules, and what that needs of the others: variables, and the rules
/// that it names, and no others. To ask about many documents, each for one rule, this is several times as fast.
#[must_use]
pub fn alone(text: &str, name: &str) -> String {
    let blocks = blocks(text);
    let mut wanted = vec![name];
    let mut kept = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        let found = blocks.iter().position(|block| block.name == Some(name));
        let Some((index, block)) = found.and_then(|index| Some((index, blocks.get(index)?))) else {
            continue;
        };
        if kept.insert(index) {
            let others = blocks.iter().filter_map(|block| block.name);
            wanted.extend(others.filter(|other| block.text.contains(other)));
        }
    }
    let kept = kept.into_iter().filter_map(|index| blocks.get(index));
    kept.map(|block| block.text.as_str()).collect()
}

/// A rule, a variable, or what stands between them.
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

/// What `cfn-guard validate --structured --output-format json` found, by the name of the document.
///
/// # Errors
/// When that is no such report.
pub fn verdicts(report: &str) -> Result<BTreeMap<String, Vec<Verdict>>, Fault> {
    let reports: Vec<Report> = serde_json::from_str(report)
        .map_err(|error| Fault::new(format!("cfn-guard's report cannot be read: {error}")))?;
    let mut found: BTreeMap<String, Vec<Verdict>> = BTreeMap::new();
    for report in reports {
        let of_document = found.entry(report.name).or_default();
        let passed = report
            .compliant
            .into_iter()
            .map(|name| verdict(&name, true, String::new()));
        of_document.extend(passed);
        let nothing = "finds nothing to look at: what it is about is not there";
        let skipped = report.not_applicable.into_iter();
        of_document.extend(skipped.map(|name| verdict(&name, false, nothing.to_owned())));
        of_document.extend(report.not_compliant.iter().map(|failure| {
            let name = failure.pointer("/Rule/name").and_then(Value::as_str);
            verdict(name.unwrap_or_default(), false, said(failure).join("; "))
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

/// Each thing that the rule's own messages say, with the place it was found at.
fn said(failure: &Value) -> Vec<String> {
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
        let at = value.get("check").and_then(place).unwrap_or_default();
        found.push(format!("{at} {}", custom.trim()).trim().to_owned());
    }
    members(value).for_each(|inner| collect(inner, found));
}

/// The first path that a check tells.
fn place(check: &Value) -> Option<&str> {
    let own = check.get("path").and_then(Value::as_str);
    own.filter(|path| !path.is_empty())
        .or_else(|| members(check).find_map(place))
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

/// How often the unit cases of a folder's `tests` expect each rule to pass and to fail.
///
/// # Errors
/// When a file cannot be read, or is none of unit cases.
pub fn cases(folder: &Path) -> Result<BTreeMap<String, Cases>, Fault> {
    let mut counted: BTreeMap<String, Cases> = BTreeMap::new();
    for file in folder::files_of(&folder.join("tests"), "yaml")? {
        let document = yaml::parse(&file.text).map_err(|error| file.fault(error))?;
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

/// Unit cases of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cases {
    /// Documents that it has to accept.
    pub passes: u32,
    /// Documents that it has to refuse.
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
        assert_eq!(alone(text, "other_thing"), both);
        let text = "let a = 1\nlet b =\n  %a\nlet c = 3\nrule one {\n  %b == 1\n}\n";
        assert_eq!(alone(text, "one"), text.replace("let c = 3\n", ""));
    }
}
