//! Text with references, and its canonical form.

use serde_json::Value;
use serde_json::json;

/// A text as a sequence of literals and of references, whose values are known only after a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(String),
    /// `DatabaseInstance` or `DatabaseInstance.Endpoint.Address`.
    Reference(String),
}

impl Text {
    /// The text of a value that is text, a number, a truth value, a reference, or `Fn::Sub` in canonical form.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let part = match value {
            Value::String(text) => Part::Literal(text.clone()),
            Value::Number(number) => Part::Literal(number.to_string()),
            Value::Bool(truth) => Part::Literal(truth.to_string()),
            Value::Object(object) if object.len() == 1 => {
                if let Some(text) = object.get("Fn::Sub").and_then(Value::as_str) {
                    return Some(Self::parse(text));
                }
                Part::Reference(reference(value)?)
            }
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some(Self(vec![part]))
    }

    /// Parses the argument of `Fn::Sub`: `${Name}` is a reference, `${!Name}` stands for the literal `${Name}`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut found = Self::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            found.push(Part::Literal(before.to_owned()));
            let Some((name, behind)) = after.split_once('}') else {
                found.push(Part::Literal(format!("${{{after}")));
                return found;
            };
            found.push(match name.strip_prefix('!') {
                Some(literal) => Part::Literal(format!("${{{literal}}}")),
                None => Part::Reference(name.trim().to_owned()),
            });
            rest = behind;
        }
        found.push(Part::Literal(rest.to_owned()));
        found
    }

    /// Replaces each reference by the result of `resolve`.
    pub(crate) fn resolved<E>(
        self,
        mut resolve: impl FnMut(&str) -> Result<Self, E>,
    ) -> Result<Self, E> {
        let mut found = Self::default();
        for part in self.0 {
            match part {
                Part::Literal(_) => found.push(part),
                Part::Reference(name) => found.append(resolve(&name)?),
            }
        }
        Ok(found)
    }

    /// Appends a text.
    pub(crate) fn append(&mut self, other: Self) {
        other.0.into_iter().for_each(|part| self.push(part));
    }

    /// Appends a literal.
    pub(crate) fn append_literal(&mut self, literal: &str) {
        self.push(Part::Literal(literal.to_owned()));
    }

    /// The ids of the referenced resources.
    pub(crate) fn ids(self) -> impl Iterator<Item = String> {
        self.0.into_iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Reference(name) => {
                let id = name.split_once('.').map(|(id, _)| id.to_owned());
                Some(id.unwrap_or(name))
            }
        })
    }

    /// Splits the text at each `separator` in its literals.
    pub(crate) fn split(self, separator: &str) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut current = Self::default();
        for part in self.0 {
            let Part::Literal(literal) = part else {
                current.push(part);
                continue;
            };
            let mut pieces_of_literal = literal.split(separator);
            current.append_literal(pieces_of_literal.next().unwrap_or(""));
            for piece in pieces_of_literal {
                pieces.push(std::mem::take(&mut current));
                current.append_literal(piece);
            }
        }
        pieces.push(current);
        pieces
    }

    /// The canonical value: text without references, a single reference, or `Fn::Sub`.
    pub(crate) fn into_value(self) -> Value {
        match self.0.as_slice() {
            [] => Value::String(String::new()),
            [Part::Literal(text)] => Value::String(text.clone()),
            [Part::Reference(name)] => match name.split_once('.') {
                Some((resource, attribute)) => json!({ "Fn::GetAtt": [resource, attribute] }),
                None => json!({ "Ref": name }),
            },
            parts => {
                let text: String = parts
                    .iter()
                    .map(|part| match part {
                        Part::Literal(literal) => literal.replace("${", "${!"),
                        Part::Reference(name) => format!("${{{name}}}"),
                    })
                    .collect();
                json!({ "Fn::Sub": text })
            }
        }
    }

    fn push(&mut self, part: Part) {
        match (self.0.last_mut(), part) {
            (_, Part::Literal(new)) if new.is_empty() => {}
            (Some(Part::Literal(last)), Part::Literal(new)) => last.push_str(&new),
            (_, part) => self.0.push(part),
        }
    }
}

fn reference(value: &Value) -> Option<String> {
    use crate::architecture::Reference;
    Some(match Reference::of(value)? {
        Reference::Ref(id) => id.to_owned(),
        Reference::GetAtt(id, attribute) => format!("{id}.{attribute}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Value {
        Text::parse(text).into_value()
    }

    #[test]
    fn text_has_one_form() {
        assert_eq!(canonical("plain"), json!("plain"));
        assert_eq!(canonical("${Vpc}"), json!({"Ref": "Vpc"}));
        assert_eq!(canonical("${Db.Arn}"), json!({"Fn::GetAtt": ["Db", "Arn"]}));
        assert_eq!(canonical("a${Vpc}b"), json!({"Fn::Sub": "a${Vpc}b"}));
        assert_eq!(canonical("${!shell} ok"), json!("${shell} ok"));
        assert_eq!(
            canonical("${!shell} ${Vpc}"),
            json!({"Fn::Sub": "${!shell} ${Vpc}"})
        );
    }

    #[test]
    fn a_list_of_references_is_split_between_them() {
        let pieces = Text::parse("${A},${B}-x,c").split(",");
        let values: Vec<Value> = pieces.into_iter().map(Text::into_value).collect();
        assert_eq!(
            values,
            [
                json!({"Ref": "A"}),
                json!({"Fn::Sub": "${B}-x"}),
                json!("c")
            ]
        );
    }
}
