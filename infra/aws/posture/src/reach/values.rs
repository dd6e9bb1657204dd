//! Values of an assembled document as the services read them.

use serde_json::Value;

use crate::architecture::Reference;

/// The id of the resource that a value refers to.
pub(crate) fn id(value: &Value) -> Option<&str> {
    if let Some(reference) = Reference::of(value) {
        return Some(reference.id());
    }
    match ids(value)?.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// The ids that a list refers to, also if the list is one text (`${A},${B}`, `["${A.GroupId}"]`).
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

/// A boolean, which a template may also write as text.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

/// A port, which a template may also write as text.
pub(crate) fn port(value: &Value) -> Option<u16> {
    number(value).and_then(|port| u16::try_from(port).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_are_read_from_every_form_of_a_list() {
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
