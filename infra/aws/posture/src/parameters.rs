//! The parameters of a template, checked as CloudFormation does.

use regex_lite::Regex;
use serde_json::Map;
use serde_json::Value;

use crate::error::InputError;
use crate::error::Within as _;
use crate::text::Text;

/// The value of each parameter: the given one, or its default.
pub(crate) fn resolve(
    template: &Value,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, InputError> {
    let none = Map::new();
    let declared = template.get("Parameters").and_then(Value::as_object);
    let declared = declared.unwrap_or(&none);
    if let Some(unknown) = given.keys().find(|name| !declared.contains_key(*name)) {
        return Err(InputError::new(format!(
            "the template has no parameter {unknown}"
        )));
    }
    let resolved = declared.iter().map(|(name, declaration)| {
        let value = given.get(name).or_else(|| declaration.get("Default"));
        let value = value.ok_or_else(|| InputError::new("has neither a value nor a default"));
        let value = value
            .and_then(|value| resolve_one(declaration, value))
            .within(name)?;
        Ok((name.clone(), value))
    });
    resolved.collect()
}

fn resolve_one(declaration: &Value, value: &Value) -> Result<Value, InputError> {
    let kind = declaration.get("Type").and_then(Value::as_str);
    let kind = kind.ok_or_else(|| InputError::new("has no type"))?;
    let text = Text::of(value)
        .ok_or_else(|| InputError::new("a parameter must be text; join a list by commas"))?;
    let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<");
    if is_list {
        let items = text.split(",").into_iter().map(Text::into_value);
        return Ok(Value::Array(items.map(trimmed).collect()));
    }
    let value = text.into_value();
    if let Value::String(literal) = &value {
        check_allowed(declaration, literal)?;
        return Ok(to_declared_type(kind, declaration, literal));
    }
    Ok(value)
}

fn trimmed(item: Value) -> Value {
    match item.as_str() {
        Some(text) => Value::String(text.trim().to_owned()),
        None => item,
    }
}

/// Converts numbers and booleans, so that rules see the type that the service receives.
fn to_declared_type(kind: &str, declaration: &Value, literal: &str) -> Value {
    if kind.starts_with("AWS::SSM::Parameter::Value<") {
        return Value::String(format!("{{{{resolve:ssm:{literal}}}}}"));
    }
    let booleans = choices(declaration);
    if booleans.len() == 2
        && ["true", "false"]
            .iter()
            .all(|t| booleans.iter().any(|c| c == t))
    {
        return Value::Bool(literal == "true");
    }
    match literal.parse::<i64>() {
        Ok(number) if kind == "Number" => Value::from(number),
        _ => Value::String(literal.to_owned()),
    }
}

fn choices(declaration: &Value) -> Vec<String> {
    let values = declaration.get("AllowedValues").and_then(Value::as_array);
    let literal = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    values.map_or_else(Vec::new, |values| values.iter().map(literal).collect())
}

fn check_allowed(declaration: &Value, literal: &str) -> Result<(), InputError> {
    let choices = choices(declaration);
    if !choices.is_empty() && !choices.iter().any(|choice| choice == literal) {
        return Err(InputError::new(format!(
            "{literal} is not one of {}",
            choices.join(", ")
        )));
    }
    let Some(pattern) = declaration.get("AllowedPattern").and_then(Value::as_str) else {
        return Ok(());
    };
    let whole = Regex::new(&format!("^(?:{pattern})$"));
    let whole = whole.map_err(|error| InputError::new(format!("its pattern: {error}")))?;
    if whole.is_match(literal) {
        Ok(())
    } else {
        Err(InputError::new(format!(
            "{literal} does not match {pattern}"
        )))
    }
}
