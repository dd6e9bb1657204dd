//! JSON whose numbers are the text that was written.

use std::fmt;

use anyhow::Context;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

/// A JSON value. Two are equal if they differ in nothing but spaces, escapes in strings and the order of members: 1.0
/// and 1.00 differ, and so do 1e2 and 1E2.
#[derive(Clone, Debug)]
pub enum ExactJson {
    /// An object, its members in their order.
    Object(Vec<(String, ExactJson)>),
    /// An array.
    Array(Vec<ExactJson>),
    /// A string.
    Text(String),
    /// A number, `true`, `false` or `null`, as written.
    Literal(String),
}

impl ExactJson {
    /// Parses JSON text.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let text = text.trim_start();
        match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text).context("an object")?;
                let members = members.into_iter().map(|(name, value)| {
                    let value = Self::parse(value.get())?;
                    Ok((name, value))
                });
                Ok(Self::Object(members.collect::<anyhow::Result<_>>()?))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).context("an array")?;
                let items = items.into_iter().map(|item| Self::parse(item.get()));
                Ok(Self::Array(items.collect::<anyhow::Result<_>>()?))
            }
            Some(b'"') => serde_json::from_str(text)
                .map(Self::Text)
                .context("a string"),
            _ => {
                let literal: &RawValue = serde_json::from_str(text).context("a literal")?;
                Ok(Self::Literal(literal.get().to_owned()))
            }
        }
    }

    /// The member of an object.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .find_map(|(its_name, value)| (its_name == name).then_some(value)),
            Self::Array(_) | Self::Text(_) | Self::Literal(_) => None,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Object(_) | Self::Array(_) | Self::Literal(_) => None,
        }
    }

    /// Replaces a member of an object, or adds it; removes it without a value.
    pub fn set_member(&mut self, name: &str, value: Option<Self>) {
        let Self::Object(members) = self else { return };
        let at = members.iter().position(|(its_name, _)| its_name == name);
        match (at.and_then(|at| members.get_mut(at)), value) {
            (Some(member), Some(value)) => member.1 = value,
            (Some(_), None) => members.retain(|(its_name, _)| its_name != name),
            (None, Some(value)) => members.push((name.to_owned(), value)),
            (None, None) => {}
        }
    }

    /// Replaces the text of every member with this name, at any depth, whose value is a string.
    pub fn replace_texts(&mut self, name: &str, replace: &impl Fn(&str) -> String) {
        match self {
            Self::Object(members) => {
                for (its_name, value) in members {
                    if let Self::Text(text) = value
                        && its_name == name
                    {
                        *text = replace(text);
                    } else {
                        value.replace_texts(name, replace);
                    }
                }
            }
            Self::Array(items) => {
                for item in items {
                    item.replace_texts(name, replace);
                }
            }
            Self::Text(_) | Self::Literal(_) => {}
        }
    }

    /// Where two values differ first: a path of members and indexes, none if they are equal.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        match (self, other) {
            (Self::Object(ours), Self::Object(theirs)) => {
                let lacks = |all: &[(String, Self)], name: &str| all.iter().all(|it| it.0 != name);
                let extra = theirs.iter().find(|(name, _)| lacks(ours, name));
                extra.map(|(name, _)| format!(".{name}")).or_else(|| {
                    ours.iter().find_map(|(name, value)| {
                        let path = match other.member(name) {
                            Some(it) => value.difference(it)?,
                            None => String::new(),
                        };
                        Some(format!(".{name}{path}"))
                    })
                })
            }
            (Self::Array(ours), Self::Array(theirs)) if ours.len() == theirs.len() => {
                let mut pairs = ours.iter().zip(theirs).enumerate();
                pairs.find_map(|(at, (one, two))| {
                    let path = one.difference(two)?;
                    Some(format!("[{at}]{path}"))
                })
            }
            (Self::Text(one), Self::Text(two)) | (Self::Literal(one), Self::Literal(two)) => {
                (one != two).then(String::new)
            }
            _ => Some(String::new()),
        }
    }
}

impl PartialEq for ExactJson {
    fn eq(&self, other: &Self) -> bool {
        self.difference(other).is_none()
    }
}

impl fmt::Display for ExactJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(members) => {
                f.write_str("{")?;
                for (at, (name, value)) in members.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(f, "{comma}{}:{value}", quoted(name)?)?;
                }
                f.write_str("}")
            }
            Self::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Self::Text(text) => f.write_str(&quoted(text)?),
            Self::Literal(literal) => f.write_str(literal),
        }
    }
}

fn quoted(text: &str) -> Result<String, fmt::Error> {
    serde_json::to_string(text).map_err(|_text_is_always_json| fmt::Error)
}

/// The members of an object in their order, each with the text of its value.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests;
