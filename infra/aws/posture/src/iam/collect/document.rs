//! Policy documents as JSON.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The items of a value that may be a list, a single item or absent.
pub(super) fn list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

/// A policy with its statements as a list, and with booleans and numbers of conditions as the text that AWS compares.
pub(super) fn normalized(document: Value) -> Value {
    let Value::Object(mut document) = document else {
        return document;
    };
    let statements = document.remove("Statement").unwrap_or(Value::Null);
    let mut normalized: Vec<Value> = list(Some(&statements)).into_iter().cloned().collect();
    for statement in &mut normalized {
        if let Some(condition) = statement.get_mut("Condition") {
            *condition = texts(condition);
        }
    }
    document.insert("Statement".to_owned(), json!(normalized));
    Value::Object(document)
}

fn texts(value: &Value) -> Value {
    match value {
        Value::Bool(_) | Value::Number(_) => Value::String(value.to_string()),
        Value::Array(items) => items.iter().map(texts).collect(),
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), texts(value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Null | Value::String(_) => value.clone(),
    }
}

/// Whether a value contains a policy document.
pub(super) fn contains_policy(value: &Value) -> bool {
    match value {
        Value::Object(entries) => {
            entries.contains_key("Statement") || entries.values().any(contains_policy)
        }
        Value::Array(items) => items.iter().any(contains_policy),
        Value::String(text) => text.contains("\"Statement\""),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
