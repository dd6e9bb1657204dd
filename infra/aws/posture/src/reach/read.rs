//! Values of an assembled document, read so that what is not understood is said.

use std::fmt::Display;

use serde_json::Value;

use crate::Reference;
use crate::Resource;

/// What the model could not make sense of. While there is one, no statement about what can be
/// reached is worth anything.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    pub(crate) fn note(&mut self, resource: &str, what: impl Display) {
        self.0.push(format!("{resource}: {what}"));
    }

    pub(crate) fn all(&self) -> &[String] {
        &self.0
    }

    /// Notes every property of a resource that is none of these.
    pub(crate) fn expect_only(&mut self, resource: Resource<'_>, known: &[&str]) {
        let properties = resource.whole.get("Properties").and_then(Value::as_object);
        for name in properties.into_iter().flat_map(|found| found.keys()) {
            if !known.contains(&name.as_str()) {
                self.note(resource.id, format!("the model does not know {name}"));
            }
        }
    }

    /// The ids that a property names, or a note that it can't be followed. None if it is not there.
    pub(crate) fn ids<'a>(&mut self, resource: Resource<'a>, path: &str) -> Vec<&'a str> {
        let Some(value) = resource.property(path) else {
            return Vec::new();
        };
        ids(value).unwrap_or_else(|| {
            self.note(resource.id, format!("{path} can't be followed: {value}"));
            Vec::new()
        })
    }

    /// The one id that a property names, or a note.
    pub(crate) fn id<'a>(&mut self, resource: Resource<'a>, path: &str) -> Option<&'a str> {
        let found = resource.property(path).and_then(id);
        if found.is_none() {
            self.note(resource.id, format!("{path} names no resource of ours"));
        }
        found
    }

    /// Whether something is so; said otherwise than with true or false, it is noted.
    pub(crate) fn truth(&mut self, resource: Resource<'_>, path: &str) -> Option<bool> {
        let value = resource.property(path)?;
        let found = truth(value);
        if found.is_none() {
            self.note(
                resource.id,
                format!("{path} is neither true nor false: {value}"),
            );
        }
        found
    }
}

/// The resource that a value refers to.
pub(crate) fn id(value: &Value) -> Option<&str> {
    if let Some(reference) = Reference::of(value) {
        return Some(reference.id());
    }
    match ids(value)?.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// The resources that a list names; also a list written as one text (`${A},${B}`, `["${A.GroupId}"]`).
pub(crate) fn ids(value: &Value) -> Option<Vec<&str>> {
    if let Some(items) = value.as_array() {
        return items.iter().map(id).collect();
    }
    if let Some(reference) = Reference::of(value) {
        return Some(vec![reference.id()]);
    }
    let mut rest = value.get("Fn::Sub")?.as_str()?;
    let mut found = Vec::new();
    while let Some((between, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}')?;
        is_punctuation(between).then_some(())?;
        found.push(name.split('.').next()?);
        rest = after;
    }
    is_punctuation(rest).then_some(found)
}

fn is_punctuation(text: &str) -> bool {
    text.chars()
        .all(|character| matches!(character, ',' | '[' | ']' | '"' | ' '))
}

/// A whole number, which a template may also write as text.
pub(crate) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// True or false, which a template may also write as text.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_followed_however_they_are_written() {
        let both = Some(vec!["A", "B"]);
        assert_eq!(
            ids(&json!([{"Ref": "A"}, {"Fn::GetAtt": ["B", "GroupId"]}])),
            both
        );
        assert_eq!(ids(&json!({"Fn::Sub": "${A},${B}"})), both);
        assert_eq!(
            ids(&json!({"Fn::Sub": "[\"${A.GroupId}\"]"})),
            Some(vec!["A"])
        );
        assert_eq!(ids(&json!({"Fn::Sub": "${A},sg-0123"})), None);
        assert_eq!(ids(&json!(["sg-0123"])), None);
    }
}
