//! CloudFormation's YAML as JSON: the short forms of functions (`!Ref`, `!Sub`, …) become the long ones.

use saphyr::LoadableYamlNode as _;
use saphyr::Scalar;
use saphyr::Yaml;
use serde_json::Map;
use serde_json::Number;
use serde_json::Value;
use serde_json::json;

/// Parses one document.
///
/// # Errors
/// The syntax error, with its position.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
    match documents.as_slice() {
        [document] => value(document),
        others => Err(format!("{} documents instead of one", others.len())),
    }
}

fn value(node: &Yaml<'_>) -> Result<Value, String> {
    match node {
        Yaml::Value(scalar) => number_or_text(scalar),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, item) in entries {
                let key = key_of(key)?;
                if object.insert(key.clone(), value(item)?).is_some() {
                    return Err(format!("{key} occurs twice in a mapping"));
                }
            }
            Ok(Value::Object(object))
        }
        Yaml::Tagged(tag, node) if tag.handle == "!" => short_form(&tag.suffix, value(node)?),
        Yaml::Tagged(tag, _) => Err(format!("{tag} is not a tag of CloudFormation")),
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => {
            Err("a value that is not supported".to_owned())
        }
    }
}

fn number_or_text(scalar: &Scalar<'_>) -> Result<Value, String> {
    Ok(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(truth) => Value::Bool(*truth),
        Scalar::Integer(number) => Value::from(*number),
        Scalar::FloatingPoint(number) => Number::from_f64(number.into_inner())
            .map(Value::Number)
            .ok_or("a number that JSON does not have")?,
        Scalar::String(text) => Value::String(text.to_string()),
    })
}

fn key_of(key: &Yaml<'_>) -> Result<String, String> {
    match value(key)? {
        Value::String(text) => Ok(text),
        // Account ids and the like are keys of mappings.
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err("a key that is not text".to_owned())
        }
    }
}

fn short_form(name: &str, argument: Value) -> Result<Value, String> {
    Ok(match (name, argument) {
        ("Ref", argument) => json!({ "Ref": argument }),
        ("Condition", argument) => json!({ "Condition": argument }),
        ("GetAtt", Value::String(dotted)) => {
            let (resource, attribute) = dotted
                .split_once('.')
                .ok_or_else(|| format!("!GetAtt {dotted} has no attribute"))?;
            json!({ "Fn::GetAtt": [resource, attribute] })
        }
        (name, argument) => Value::Object(Map::from_iter([(format!("Fn::{name}"), argument)])),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_become_long_ones() {
        let read = parse(
            "a: !Ref B\nc: !GetAtt D.Endpoint.Address\ne: !Sub '${F}-x'\ng: !If [H, 1, !Ref I]\nj: !Condition K\n",
        );
        let expected = json!({
            "a": {"Ref": "B"},
            "c": {"Fn::GetAtt": ["D", "Endpoint.Address"]},
            "e": {"Fn::Sub": "${F}-x"},
            "g": {"Fn::If": ["H", 1, {"Ref": "I"}]},
            "j": {"Condition": "K"},
        });
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn a_duplicate_key_is_refused() {
        assert!(parse("a: 1\na: 2\n").is_err());
    }
}
