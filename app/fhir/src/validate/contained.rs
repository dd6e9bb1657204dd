//! The rules of contained resources: R4's invariants dom-2 to dom-5.

use std::collections::HashSet;

use serde_json::Map;
use serde_json::Value;

use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::Issues;

/// Checks the resources that a resource contains.
pub(super) fn check(resource: &Map<String, Value>, path: &ElementPath<'_>, issues: &mut Issues) {
    let Some(contained) = resource.get("contained").and_then(Value::as_array) else {
        return;
    };
    // One scan, however many there are.
    let mut links = HashSet::new();
    resource
        .values()
        .for_each(|it| collect_links(it, &mut links));
    let at = ElementPath::Field(path, "contained");
    for (index, item) in contained.iter().enumerate() {
        let at = ElementPath::Item(&at, index);
        let mut refuse = |at: &ElementPath<'_>, why: &'static str| {
            issues.add(|| Issue::new(IssueCode::Invariant, why).at(at));
        };
        if item.get("contained").is_some() {
            let why = "a contained resource must not contain others (dom-2)";
            refuse(&ElementPath::Field(&at, "contained"), why);
        }
        let id = item.get("id").and_then(Value::as_str);
        if !id.is_some_and(|id| links.contains(id)) && !refers_to_container(item) {
            let why = "a contained resource must be referred to by its id, as # and the id (dom-3)";
            refuse(&at, why);
        }
        let meta = ElementPath::Field(&at, "meta");
        for (name, why) in [
            ("versionId", "a contained resource has no version (dom-4)"),
            ("lastUpdated", "a contained resource has no version (dom-4)"),
            (
                "security",
                "a contained resource has no security label (dom-5)",
            ),
        ] {
            if item
                .get("meta")
                .is_some_and(|meta| meta.get(name).is_some())
            {
                refuse(&ElementPath::Field(&meta, name), why);
            }
        }
    }
}

/// Collects the ids of all strings of the form `#id`: references, canonical URLs and other URIs.
fn collect_links<'v>(value: &'v Value, links: &mut HashSet<&'v str>) {
    match value {
        Value::String(text) => {
            links.extend(text.strip_prefix('#'));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_links(item, links)),
        Value::Object(members) => members.values().for_each(|it| collect_links(it, links)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a contained resource refers to its container, as `#`.
fn refers_to_container(value: &Value) -> bool {
    match value {
        Value::String(text) => text == "#",
        Value::Array(items) => items.iter().any(refers_to_container),
        Value::Object(members) => members.values().any(refers_to_container),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Resource;

    use super::*;

    /// The paths of the issues of a Location that contains a resource and refers to `#o`.
    fn issues(contained: &Value) -> Vec<String> {
        let location = json!({
            "resourceType": "Location", "contained": [contained],
            "managingOrganization": {"reference": "#o"}
        });
        match Resource::parse(location.to_string().as_bytes()) {
            Ok(_) => Vec::new(),
            Err(issues) => {
                let paths = issues.listed().iter();
                paths.filter_map(|it| it.expression.clone()).collect()
            }
        }
    }

    #[test]
    fn a_contained_resource_is_validated() {
        let of = |extra: Value| {
            let mut organization = json!({"resourceType": "Organization", "id": "o"});
            let members = extra.as_object().expect("an object");
            for (name, member) in members {
                organization[name] = member.clone();
            }
            issues(&organization)
        };
        assert_eq!(of(json!({"name": "x"})), Vec::<String>::new());
        for (wrong, path) in [
            (json!({"nick": 1}), "Location.contained[0].?"),
            (json!({"name": 1}), "Location.contained[0].name"),
            (
                json!({"resourceType": "Bot"}),
                "Location.contained[0].resourceType",
            ),
            (
                json!({"resourceType": 1}),
                "Location.contained[0].resourceType",
            ),
            (json!({"id": "p"}), "Location.contained[0]"),
            (
                json!({"meta": {"versionId": "1"}}),
                "Location.contained[0].meta.versionId",
            ),
            (
                json!({"meta": {"lastUpdated": "2020-01-01T00:00:00Z"}}),
                "Location.contained[0].meta.lastUpdated",
            ),
            (
                json!({"meta": {"security": [{"code": "x"}]}}),
                "Location.contained[0].meta.security",
            ),
            (
                json!({"contained": [{"resourceType": "Basic", "code": {"text": "x"}}]}),
                "Location.contained[0].contained",
            ),
        ] {
            assert!(of(wrong.clone()).contains(&path.to_owned()), "{wrong}");
        }
        assert_eq!(
            issues(&json!({"id": "o"})),
            ["Location.contained[0].resourceType"]
        );
        assert_eq!(issues(&json!("x")).len(), 2);
    }

    #[test]
    fn a_type_that_is_not_stored_may_be_contained() {
        let parameters = json!({"resourceType": "Parameters", "id": "o"});
        assert_eq!(issues(&parameters), Vec::<String>::new());
    }

    #[test]
    fn a_contained_resource_may_refer_to_its_container_instead() {
        let organization = json!({
            "resourceType": "Organization", "id": "x", "partOf": {"reference": "#"}
        });
        assert_eq!(issues(&organization), Vec::<String>::new());
    }
}
