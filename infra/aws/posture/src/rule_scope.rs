//! The part of a document that a rule for cfn-guard can read, so that it need not parse the rest.

use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;

use crate::architecture::Architecture;
use crate::architecture::Reference;
use crate::text::Text;

/// The resource types and ids that a rule names. From there it can only follow references.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleScope {
    types: BTreeSet<String>,
    ids: BTreeSet<String>,
}

impl RuleScope {
    /// The scope of a rule's text with the variables that it uses. `None` if the rule may read any resource.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut scope = Self::default();
        let text = without_comments_and_messages(text);
        for (at, name) in text.match_indices("Resources") {
            scope.add(text.get(at + name.len()..)?)?;
        }
        Some(scope)
    }

    /// Adds the filter after an occurrence of `Resources`.
    fn add(&mut self, rest: &str) -> Option<()> {
        if rest.starts_with(".%") || rest.starts_with("[ keys in %") {
            return Some(());
        }
        let filter = rest.strip_prefix(".*[").or_else(|| rest.strip_prefix('['));
        let Some(filter) = filter else {
            let id = rest.strip_prefix('.')?;
            let id = id.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
            self.ids.insert((!id.is_empty()).then(|| id.to_owned())?);
            return Some(());
        };
        // `[ name | Type == 'X' ]` gives the resource a name.
        let (first, behind) = filter.split_once("Type ")?;
        let is_named = first.trim().strip_suffix('|').map(str::trim);
        let is_word = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !first.trim().is_empty() && !is_named.is_some_and(is_word) {
            return None;
        }
        let list = match behind.strip_prefix("== '") {
            Some(one) => one.split('\'').next()?,
            None => behind
                .strip_prefix("in [")
                .or_else(|| behind.strip_prefix("IN ["))?
                .split(']')
                .next()?,
        };
        let kinds = list
            .split(['\'', ',', ' ', '\n'])
            .filter(|kind| !kind.is_empty());
        self.types.extend(kinds.map(str::to_owned));
        Some(())
    }

    /// An architecture reduced to the resources in scope, and to those that they refer to.
    #[must_use]
    pub fn restrict(&self, architecture: &Architecture) -> Architecture {
        let named = architecture.resources().filter(|resource| {
            self.types.contains(resource.resource_type) || self.ids.contains(resource.id)
        });
        let mut next: Vec<String> = named.map(|resource| resource.id.to_owned()).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = next.pop() {
            let Some(resource) = architecture.resource(&id) else {
                continue;
            };
            if seen.insert(id) {
                collect(resource.definition, &mut next);
            }
        }
        let kept = architecture
            .resources()
            .filter(|resource| seen.contains(resource.id));
        let kept = kept.map(|resource| (resource.id.to_owned(), resource.definition.clone()));
        Architecture::new(kept.collect::<Map<_, _>>())
    }
}

/// The text without comments and without messages.
fn without_comments_and_messages(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut kept = String::new();
    for (index, part) in code.split("<<").enumerate() {
        let part = if index == 0 {
            part
        } else {
            part.split_once(">>").map_or("", |(_, rest)| rest)
        };
        kept.push_str(part);
    }
    kept
}

/// Adds the ids that a value refers to.
fn collect(value: &Value, ids: &mut Vec<String>) {
    if let Some(reference) = Reference::of(value) {
        ids.push(reference.id().to_owned());
        return;
    }
    match value {
        Value::Object(object) => {
            if let Some(text) = object.get("Fn::Sub").and_then(Value::as_str) {
                ids.extend(Text::parse(text).ids());
            }
            object.values().for_each(|inner| collect(inner, ids));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_scope_of_a_rule_is_what_it_names_and_what_that_refers_to() {
        let rule = "# Resources of all kinds\nlet a = Resources.*[ Type == 'A' ]\nrule r {\n  Resources[ b | Type in ['B', 'C'] ] !empty <<Resources.x>>\n  Resources.%a exists\n  Resources.Named exists\n}\n";
        let scope = RuleScope::parse(rule).unwrap();
        let kinds = ["A", "B", "C"].map(str::to_owned);
        assert_eq!(scope.types, BTreeSet::from(kinds));
        assert_eq!(scope.ids, BTreeSet::from(["Named".to_owned()]));

        let resources = json!({
            "First": {"Type": "A", "Properties": {"Key": {"Fn::Sub": "x${Key.Arn}"}}},
            "Key": {"Type": "K", "Properties": {"Role": {"Ref": "Role"}}},
            "Role": {"Type": "R"},
            "Named": {"Type": "N"},
            "Other": {"Type": "O", "Properties": {"First": {"Ref": "First"}}},
        });
        let whole = Architecture::new(resources.as_object().unwrap().clone());
        let narrow = scope.restrict(&whole);
        let seen: Vec<&str> = narrow.resources().map(|resource| resource.id).collect();
        assert_eq!(seen, ["First", "Key", "Role", "Named"]);
    }

    #[test]
    fn a_rule_that_may_read_any_resource_has_no_scope() {
        for rule in [
            "Resources.* {",
            "Resources.*[ Type == /^A/ ]",
            "Resources.*[ Properties.X exists Type == 'A' ]",
            "Resources exists",
        ] {
            assert_eq!(RuleScope::parse(rule), None, "{rule}");
        }
    }
}
