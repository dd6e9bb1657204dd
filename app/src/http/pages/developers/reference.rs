//! The operations of the `OpenAPI` document, as the page shows them.

use serde_json::Value;

use crate::http::openapi::METHODS;
use crate::http::openapi::Tag;

/// Values of an enumeration that are listed; a longer one is counted.
const MAX_LISTED_VALUES: usize = 8;

/// The operations with one tag.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) operations: Vec<Operation>,
}

/// An operation.
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) summary: String,
    /// Whether callers need no authentication.
    pub(super) is_open: bool,
    pub(super) parameters: Vec<Parameter>,
    pub(super) media_types: Vec<String>,
    /// The example of a body, as the client sends it.
    pub(super) example: Option<String>,
}

/// A parameter of an operation.
pub(super) struct Parameter {
    pub(super) name: String,
    /// `path` or `query`.
    pub(super) location: String,
    /// The form of its values.
    pub(super) form: String,
    pub(super) description: String,
}

/// The sections for programs; pages are for people.
pub(super) fn sections(document: &Value) -> Vec<Section> {
    let tags = Tag::ALL.into_iter().filter(|tag| *tag != Tag::Pages);
    tags.map(|tag| Section {
        name: match tag {
            Tag::Fhir => "FHIR",
            Tag::Workflow => "Workflow",
            Tag::OAuth => "OAuth 2.0",
            Tag::Pages => "Pages",
        },
        description: tag.description(),
        operations: operations(document, tag),
    })
    .collect()
}

fn operations(document: &Value, tag: Tag) -> Vec<Operation> {
    let paths = document.get("paths").and_then(Value::as_object);
    let mut operations = Vec::new();
    for (path, item) in paths.into_iter().flatten() {
        if Tag::of(path) != tag {
            continue;
        }
        for method in METHODS {
            if let Some(described) = item.get(method) {
                operations.push(operation(document, (path, item), (method, described)));
            }
        }
    }
    operations
}

fn operation(
    document: &Value,
    (path, item): (&str, &Value),
    (method, described): (&str, &Value),
) -> Operation {
    let lists = [item.get("parameters"), described.get("parameters")];
    let parameters = lists.into_iter().flatten().filter_map(Value::as_array);
    let parameters = parameters.flatten().map(|it| resolve(document, it));
    let content = described.pointer("/requestBody/content");
    let content = content.and_then(Value::as_object);
    let mut bodies = content.into_iter().flat_map(|it| it.values());
    let security = described.get("security").and_then(Value::as_array);
    Operation {
        id: text(described, "operationId"),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(described, "summary"),
        is_open: security.is_some_and(Vec::is_empty),
        parameters: parameters.map(parameter).collect(),
        media_types: content
            .into_iter()
            .flat_map(|it| it.keys().cloned())
            .collect(),
        example: bodies.find_map(|it| it.get("example")).map(example),
    }
}

fn parameter(described: &Value) -> Parameter {
    let schema = described.get("schema").unwrap_or(&Value::Null);
    Parameter {
        name: text(described, "name"),
        location: text(described, "in"),
        form: form(schema),
        description: text(described, "description"),
    }
}

/// The form of the values that a schema admits: in words if it has them, or else its names, pattern or type.
fn form(schema: &Value) -> String {
    if let Some(items) = schema.get("items") {
        return format!("{} Repeatable.", form(items));
    }
    if let Some(words) = schema.get("description").and_then(Value::as_str) {
        return words.to_owned();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        if values.len() > MAX_LISTED_VALUES {
            return format!("One of {} names.", values.len());
        }
        let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
        return values.join(" | ");
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        return pattern.to_owned();
    }
    match schema.get("format").and_then(Value::as_str) {
        Some(format) => format.to_owned(),
        None => text(schema, "type"),
    }
}

/// A form is a text; other bodies are JSON.
fn example(example: &Value) -> String {
    match example.as_str() {
        Some(form) => form.to_owned(),
        None => serde_json::to_string_pretty(example).unwrap_or_default(),
    }
}

/// The component that a reference names, or the value itself.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let reference = value.get("$ref").and_then(Value::as_str);
    let pointer = reference.and_then(|it| it.strip_prefix('#'));
    pointer.and_then(|it| document.pointer(it)).unwrap_or(value)
}

fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use crate::http::api::openapi::DOCUMENT;

    use super::*;

    #[test]
    fn every_operation_for_programs_is_shown_with_its_parameters() {
        let document = serde_json::from_str(DOCUMENT).unwrap();
        let sections = sections(&document);
        let operations: Vec<_> = sections.iter().flat_map(|it| &it.operations).collect();
        assert!(operations.len() > 15);
        for operation in &operations {
            assert!(!operation.summary.is_empty(), "{}", operation.id);
            for parameter in &operation.parameters {
                assert!(!parameter.name.is_empty() && !parameter.form.is_empty());
            }
        }
        let create = operations.iter().find(|it| it.id == "fhir.create").unwrap();
        assert_eq!((&*create.method, &*create.path), ("POST", "/fhir/{type}"));
        assert!(create.example.as_ref().unwrap().contains("Observation"));
        assert!(create.parameters.iter().any(|it| it.name == "_format"));
    }
}
