//! Simple paths of elements in a resource: `component.valueQuantity`, `telecom[system=phone]`.

use serde_json::Value;

/// A path: names of elements, each with an optional condition on one of its members.
///
/// Every name steps through arrays. The number of values is bounded by that of the document.
#[derive(Debug)]
pub(super) struct Path(Vec<Step>);

/// One step of a path.
#[derive(Debug)]
struct Step {
    name: String,
    /// A member and the value that it must have.
    condition: Option<(String, String)>,
}

impl Path {
    /// Parses a path of the embedded table.
    pub(super) fn parse(text: &str) -> Self {
        let step = |part: &str| {
            let (name, condition) = match part.split_once('[') {
                Some((name, condition)) => (name, condition.trim_end_matches(']').split_once('=')),
                None => (part, None),
            };
            Step {
                name: name.to_owned(),
                condition: condition.map(|(member, value)| (member.to_owned(), value.to_owned())),
            }
        };
        Self(text.split('.').map(step).collect())
    }

    /// Calls `found` with each value at the path.
    pub(super) fn each<'v>(&self, resource: &'v Value, found: &mut dyn FnMut(&'v Value)) {
        walk(&self.0, resource, found);
    }
}

/// The recursion is as deep as the path is long, plus the arrays between its steps, which JSON of a valid resource
/// does not nest.
fn walk<'v>(steps: &[Step], value: &'v Value, found: &mut dyn FnMut(&'v Value)) {
    let Some((step, later)) = steps.split_first() else {
        found(value);
        return;
    };
    let Some(child) = value.get(step.name.as_str()) else {
        return;
    };
    let items = match child {
        Value::Array(items) => items.as_slice(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            std::slice::from_ref(child)
        }
    };
    for item in items {
        if item.is_null() || !step.admits(item) {
            continue;
        }
        walk(later, item, found);
    }
}

impl Step {
    fn admits(&self, value: &Value) -> bool {
        self.condition.as_ref().is_none_or(|(member, expected)| {
            value.get(member.as_str()).and_then(Value::as_str) == Some(expected.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_steps_through_arrays_and_conditions() {
        let value = json!({
            "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}, null],
            "component": [{"code": [{"x": 1}, {"x": 2}]}, {"code": {"x": 3}}, {}]
        });
        let at = |path: &str| {
            let mut found = Vec::new();
            Path::parse(path).each(&value, &mut |it| found.push(it.to_string()));
            found
        };
        assert_eq!(at("component.code.x"), ["1", "2", "3"]);
        assert_eq!(at("telecom[system=email].value"), [r#""2""#]);
        assert!(at("component.missing").is_empty());
    }
}
