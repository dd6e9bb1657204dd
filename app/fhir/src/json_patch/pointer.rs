//! JSON Pointer (RFC 6901).

use serde_json::Map;
use serde_json::Value;
use zeroize::Zeroizing;

use super::PatchError;
use crate::IssueCode;
use crate::limits::MAX_DEPTH;

/// A JSON Pointer: the names and indices on the way from the root to a value.
pub(super) struct Pointer(Vec<Zeroizing<String>>);

/// The object or array that has the value of a pointer, and the last token of the pointer.
pub(super) enum Parent<'v, 'p> {
    /// A member of an object, by name.
    Object(&'v mut Map<String, Value>, &'p str),
    /// An item of an array, by its token.
    Array(&'v mut Vec<Value>, &'p str),
}

impl Pointer {
    /// Parses `""`, or tokens that each begin with a slash.
    pub(super) fn parse(text: &str) -> Result<Self, PatchError> {
        let malformed = PatchError(IssueCode::Value, "a path is a JSON Pointer (RFC 6901)");
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let tokens = text.strip_prefix('/').ok_or(malformed)?.split('/');
        let tokens: Vec<_> = tokens
            .take(MAX_DEPTH.saturating_add(1))
            .map(|token| unescape(token).ok_or(malformed))
            .collect::<Result<_, _>>()?;
        if tokens.len() > MAX_DEPTH {
            return Err(PatchError(
                IssueCode::TooLong,
                "a path has at most 64 levels",
            ));
        }
        Ok(Self(tokens))
    }

    /// The number of levels.
    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    /// Whether `other` is this pointer or a value inside it.
    pub(super) fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The value.
    pub(super) fn value<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, |value, token| match value {
            Value::Object(members) => members.get(token.as_str()),
            Value::Array(items) => items.get(index(token)?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }

    /// The value, mutable.
    pub(super) fn value_mut<'v>(&self, root: &'v mut Value) -> Option<&'v mut Value> {
        walk(&self.0, root)
    }

    /// The object or array that has the value; `None` for the root, and if there is none.
    pub(super) fn parent<'v, 'p>(&'p self, root: &'v mut Value) -> Option<Parent<'v, 'p>> {
        let (last, before) = self.0.split_last()?;
        match walk(before, root)? {
            Value::Object(members) => Some(Parent::Object(members, last)),
            Value::Array(items) => Some(Parent::Array(items, last)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }
}

fn walk<'v>(tokens: &[Zeroizing<String>], root: &'v mut Value) -> Option<&'v mut Value> {
    tokens.iter().try_fold(root, |value, token| match value {
        Value::Object(members) => members.get_mut(token.as_str()),
        Value::Array(items) => items.get_mut(index(token)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// The index of an array's item: digits without leading zeros.
pub(super) fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (token == "0" || !token.starts_with('0'));
    token.parse().ok().filter(|_| plain)
}

/// The text of a token: `~1` is a slash, `~0` a tilde.
fn unescape(token: &str) -> Option<Zeroizing<String>> {
    let mut plain = Zeroizing::new(String::with_capacity(token.len()));
    let mut letters = token.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '~' => match letters.next() {
                Some('0') => '~',
                Some('1') => '/',
                Some(_) | None => return None,
            },
            other => other,
        });
    }
    Some(plain)
}
