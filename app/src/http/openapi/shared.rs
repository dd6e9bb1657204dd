//! Parameters that stand at several paths or operations, as components of the document.

use std::collections::HashMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::METHODS;

/// Replaces each parameter that the document has several times by a reference to a component.
pub(super) fn share_parameters(document: &mut Value) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    each_parameter(document, &mut |parameter| {
        let count = counts.entry(parameter.to_string()).or_default();
        *count = count.saturating_add(1);
    });
    let mut components = Map::new();
    each_parameter(document, &mut |parameter| {
        if counts.get(&parameter.to_string()).is_some_and(|it| *it > 1) {
            let name = component(&mut components, parameter);
            *parameter = json!({ "$ref": format!("#/components/parameters/{name}") });
        }
    });
    if let Some(all) = document
        .get_mut("components")
        .and_then(Value::as_object_mut)
    {
        all.insert("parameters".to_owned(), Value::Object(components));
    }
}

/// The name of the component that is equal to a parameter, which is added if there is none: the parameter's name, with
/// a number for one that differs from an earlier one of the same name.
fn component(components: &mut Map<String, Value>, parameter: &Value) -> String {
    let plain = parameter.get("name").and_then(Value::as_str);
    let plain = plain.unwrap_or_default();
    let mut name = plain.to_owned();
    let mut number = 1_usize;
    while let Some(known) = components.get(&name) {
        if known == parameter {
            return name;
        }
        number = number.saturating_add(1);
        name = format!("{plain}-{number}");
    }
    components.insert(name.clone(), parameter.clone());
    name
}

/// Calls `visit` with each parameter of the paths and their operations.
fn each_parameter(document: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for item in paths.into_iter().flat_map(Map::values_mut) {
        parameters(item).for_each(&mut *visit);
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                parameters(operation).for_each(&mut *visit);
            }
        }
    }
}

fn parameters(holder: &mut Value) -> impl Iterator<Item = &mut Value> {
    let all = holder.get_mut("parameters").and_then(Value::as_array_mut);
    all.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parameters_are_shared_and_others_of_their_name_are_not_confused() {
        let id = json!({"name": "id", "in": "path"});
        let other = json!({"name": "id", "in": "query"});
        let mut document = json!({
            "paths": {
                "/a": {"parameters": [id], "get": {"parameters": [other]}},
                "/b": {"parameters": [id], "put": {"parameters": [other, {"name": "x"}]}},
            },
            "components": {}
        });
        share_parameters(&mut document);
        let of_path = &document["paths"]["/b"]["parameters"][0]["$ref"];
        assert_eq!(of_path, "#/components/parameters/id");
        let of_operation = &document["paths"]["/a"]["get"]["parameters"][0]["$ref"];
        assert_eq!(of_operation, "#/components/parameters/id-2");
        assert_eq!(document["components"]["parameters"]["id-2"], other);
        assert_eq!(document["paths"]["/b"]["put"]["parameters"][1]["name"], "x");
    }
}
