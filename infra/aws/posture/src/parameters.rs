//! What a template is given: its parameters, checked as CloudFormation would.

use regex_lite::Regex;
use serde_json::Map;
use serde_json::Value;

use crate::fault::Fault;
use crate::fault::Within as _;
use crate::text::Text;

/// The value of each parameter: as given, or its default.
pub(crate) fn settle(
    template: &Value,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Fault> {
    let none = Map::new();
    let declared = template.get("Parameters").and_then(Value::as_object);
    let declared = declared.unwrap_or(&none);
    if let Some(unknown) = given.keys().find(|name| !declared.contains_key(*name)) {
        return Err(Fault::new(format!(
            "the template has no parameter {unknown}"
        )));
    }
    let settled = declared.iter().map(|(name, declaration)| {
        let value = given.get(name).or_else(|| declaration.get("Default"));
        let value = value.ok_or_else(|| Fault::new("is not given and has no default"));
        let value = value
            .and_then(|value| one(declaration, value))
            .within(name)?;
        Ok((name.clone(), value))
    });
    settled.collect()
}

fn one(declaration: &Value, value: &Value) -> Result<Value, Fault> {
    let kind = declaration.get("Type").and_then(Value::as_str);
    let kind = kind.ok_or_else(|| Fault::new("has no type"))?;
    let text = Text::of(value)
        .ok_or_else(|| Fault::new("a parameter is text: lists have to be joined by commas"))?;
    let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<");
    if is_list {
        let items = text.split(",").into_iter().map(Text::into_value);
        return Ok(Value::Array(items.map(trimmed).collect()));
    }
    let value = text.into_value();
    if let Value::String(literal) = &value {
        allowed(declaration, literal)?;
        return Ok(typed(kind, declaration, literal));
    }
    Ok(value)
}

fn trimmed(item: Value) -> Value {
    match item.as_str() {
        Some(text) => Value::String(text.trim().to_owned()),
        None => item,
    }
}

/// Numbers and truth values become such, so that rules see what the service will.
fn typed(kind: &str, declaration: &Value, literal: &str) -> Value {
    if kind.starts_with("AWS::SSM::Parameter::Value<") {
        return Value::String(format!("{{{{resolve:ssm:{literal}}}}}"));
    }
    let truths = choices(declaration);
    if truths.len() == 2
        && ["true", "false"]
            .iter()
            .all(|t| truths.iter().any(|c| c == t))
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

fn allowed(declaration: &Value, literal: &str) -> Result<(), Fault> {
    let choices = choices(declaration);
    if !choices.is_empty() && !choices.iter().any(|choice| choice == literal) {
        return Err(Fault::new(format!(
            "{literal} is none of {}",
            choices.join(", ")
        )));
    }
    let Some(pattern) = declaration.get("AllowedPattern").and_then(Value::as_str) else {
        return Ok(());
    };
    let whole = Regex::new(&format!("^(?:{pattern})$"));
    let whole = whole.map_err(|error| Fault::new(format!("its pattern: {error}")))?;
    if whole.is_match(literal) {
        Ok(())
    } else {
        Err(Fault::new(format!("{literal} does not match {pattern}")))
    }
}
