//! Schemas of parameters: the subset of JSON Schema that describes closed sets of values.

use regex_lite::Regex;
use serde_json::Value;

use super::ApiSchemaError;

/// A schema of a parameter: a closed set of values or an anchored pattern, never any text.
#[derive(Debug)]
pub(super) enum Schema {
    /// `enum`, `const`, `type: boolean`.
    OneOf(Vec<Box<str>>),
    /// `type: integer` with `minimum` and `maximum`.
    Integer { least: u64, most: u64 },
    /// `format: uuid`, in canonical form.
    Uuid,
    /// `pattern`, anchored at both ends.
    Pattern(Box<Regex>),
}

impl Schema {
    /// Parses a schema; `position` in the document is for the error.
    pub(super) fn read(schema: &Value, position: &str) -> Result<Self, ApiSchemaError> {
        let malformed = |why| ApiSchemaError::malformed(position, why);
        let text = |name: &str| schema.get(name).and_then(Value::as_str);
        if let Some(only) = text("const") {
            return Ok(Self::OneOf(vec![only.into()]));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            let values: Option<Vec<Box<str>>> = values
                .iter()
                .map(|value| value.as_str().map(Box::from))
                .collect();
            return values
                .map(Self::OneOf)
                .ok_or_else(|| malformed("an enum must be a list of strings"));
        }
        let number = |name: &str| schema.get(name).and_then(Value::as_u64);
        match (text("type"), text("format"), text("pattern")) {
            (Some("boolean"), None, None) => Ok(Self::OneOf(vec!["true".into(), "false".into()])),
            (Some("integer"), None, None) => number("minimum")
                .zip(number("maximum"))
                .map(|(least, most)| Self::Integer { least, most })
                .ok_or_else(|| malformed("an integer needs a minimum and a maximum")),
            (Some("string"), Some("uuid"), None) => Ok(Self::Uuid),
            (Some("string"), None, Some(pattern))
                if pattern.starts_with('^') && pattern.ends_with('$') =>
            {
                Regex::new(pattern)
                    .map(|regex| Self::Pattern(Box::new(regex)))
                    .map_err(|_not_one| malformed("the pattern is not a regular expression"))
            }
            _ => Err(malformed(
                "a parameter must be an enum, a const, a boolean, an integer with both limits, a uuid, \
                 or a string with an anchored pattern",
            )),
        }
    }

    /// Whether a value matches the schema.
    pub(super) fn accepts(&self, value: &str) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|one| **one == *value),
            Self::Integer { least, most } => {
                integer(value).is_some_and(|number| (*least..=*most).contains(&number))
            }
            Self::Uuid => is_uuid(value),
            Self::Pattern(pattern) => pattern.is_match(value),
        }
    }
}

/// Parses an unsigned integer in canonical decimal form.
fn integer(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    (plain && !padded).then(|| text.parse().ok())?
}

/// Whether a text is a UUID in canonical form: lower case, with hyphens.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(value: &Value) -> Schema {
        Schema::read(value, "here").unwrap()
    }

    #[test]
    fn a_schema_accepts_its_values_and_no_others() {
        let id = "8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d";
        let page = json!({"type": "integer", "minimum": 1, "maximum": 100});
        let word = json!({"enum": ["asc", "desc"]});
        let uuid = json!({"type": "string", "format": "uuid"});
        let name = json!({"type": "string", "pattern": "^(a|b)\\.css$"});
        for (schema, good, bad) in [
            (
                schema(&page),
                "100",
                [
                    "0",
                    "101",
                    "01",
                    "+1",
                    "1 ",
                    "",
                    "1e1",
                    "99999999999999999999999",
                ]
                .as_slice(),
            ),
            (schema(&word), "desc", &["DESC", "", "asc ", "asc\0"]),
            (schema(&json!({"type": "boolean"})), "true", &["1", "True"]),
            (schema(&json!({"const": "false"})), "false", &["true"]),
            (
                schema(&uuid),
                id,
                &[
                    "8C1B9D2E-4C8A-4B7E-9F0A-0D2F5A1B3C4D",
                    "8c1b9d2e4c8a4b7e9f0a0d2f5a1b3c4d",
                    "",
                    "123-45-6789",
                ],
            ),
            (
                schema(&name),
                "a.css",
                &["a.css\n", "xa.css", "axcss", "b.css/"],
            ),
        ] {
            assert!(schema.accepts(good), "{schema:?} {good}");
            for bad in bad {
                assert!(!schema.accepts(bad), "{schema:?} {bad}");
            }
        }
    }

    #[test]
    fn a_schema_that_accepts_any_text_is_refused() {
        for open in [
            json!({}),
            json!({"type": "string"}),
            json!({"type": "string", "maxLength": 20}),
            json!({"type": "string", "pattern": "[a-z]+"}),
            json!({"type": "string", "pattern": "^(a$"}),
            json!({"type": "integer", "minimum": 1}),
            json!({"enum": [1, 2]}),
        ] {
            assert!(Schema::read(&open, "here").is_err(), "{open}");
        }
    }
}
