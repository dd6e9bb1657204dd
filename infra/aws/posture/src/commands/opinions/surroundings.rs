//! What a fault can be seen from.

use std::collections::BTreeSet;

use posture::Architecture;
use serde_json::Value;

/// The ids of the stacks in which two architectures differ, and of what these refer to.
pub(super) fn surroundings(original: &Architecture, mutated: &Architecture) -> BTreeSet<String> {
    let stacks: BTreeSet<&str> = original
        .resources()
        .filter(|resource| {
            mutated.resource(resource.id).map(|other| other.whole) != Some(resource.whole)
        })
        .chain(
            mutated
                .resources()
                .filter(|resource| original.resource(resource.id).is_none()),
        )
        .map(|resource| resource.stack())
        .collect();
    let mut kept = BTreeSet::new();
    for resource in original.resources() {
        if stacks.contains(resource.stack()) {
            let mut named = BTreeSet::new();
            references(resource.whole, &mut named);
            kept.insert(resource.id.to_owned());
            kept.extend(named.into_iter().map(ToOwned::to_owned));
        }
    }
    kept
}

/// The ids that a value names.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                match (name.as_str(), inner) {
                    ("Ref" | "DependsOn", Value::String(id)) => drop(found.insert(id)),
                    ("Fn::Sub", Value::String(text)) => found.extend(placeholders(text)),
                    ("Fn::GetAtt" | "DependsOn", Value::Array(parts)) => {
                        found.extend(parts.iter().filter_map(Value::as_str));
                    }
                    _ => references(inner, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The ids in a text for `Fn::Sub`.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split("${").skip(1);
    parts.filter_map(|part| part.split(['}', '.']).next())
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use serde_json::json;

    use super::*;

    fn architecture(encrypted: bool) -> Architecture {
        let resources = json!({
            "DataTable": {"Metadata": {"Stack": "data"}, "Properties": {"Key": {"Ref": "KeysKey"}, "On": encrypted}},
            "KeysKey": {"Metadata": {"Stack": "keys"}},
            "KeysOther": {"Metadata": {"Stack": "keys"}},
            "AlarmsAlarm": {"Metadata": {"Stack": "alarms"}, "Properties": {"Of": {"Fn::Sub": "x-${DataTable.Arn}"}}},
            "AlarmsTopic": {"Metadata": {"Stack": "alarms"}},
        });
        Architecture::of(resources.as_object().cloned().unwrap_or_else(Map::new))
    }

    #[test]
    fn a_fault_is_seen_from_its_stack_and_what_that_refers_to() {
        let kept = surroundings(&architecture(true), &architecture(false));
        let expected = ["DataTable", "KeysKey"].map(ToOwned::to_owned);
        assert_eq!(kept, BTreeSet::from(expected));
    }
}
