//! One operation of a JSON Patch.

use serde_json::Value;

use super::PatchError;
use super::equality::equal;
use super::pointer::Parent;
use super::pointer::Pointer;
use super::pointer::index;
use crate::IssueCode;
use crate::SensitiveJson;
use crate::limits::MAX_DEPTH;
use crate::sensitive_json::zeroize_strings;

const MISSING: PatchError = PatchError(IssueCode::NotFound, "there is no value at this path");
const NO_PARENT: PatchError = PatchError(
    IssueCode::NotFound,
    "there is no object or array at the path before the last slash",
);
const NO_ITEM: PatchError = PatchError(
    IssueCode::NotFound,
    "the array has no place with this index",
);
const TOO_DEEP: PatchError = PatchError(
    IssueCode::TooLong,
    "the result is nested too deeply (at most 64 levels)",
);

/// An operation of a patch.
pub(super) enum Operation {
    Add(Pointer, SensitiveJson),
    Remove(Pointer),
    Replace(Pointer, SensitiveJson),
    Move { from: Pointer, to: Pointer },
    Copy { from: Pointer, to: Pointer },
    Test(Pointer, SensitiveJson),
}

impl Operation {
    /// Parses an operation. Members that the operation does not define are ignored
    /// (RFC 6902 4).
    pub(super) fn parse(item: &Value) -> Result<Self, PatchError> {
        let structure = |why| PatchError(IssueCode::Structure, why);
        if !item.is_object() {
            return Err(structure("an operation is an object"));
        }
        let pointer = |name: &str, missing| {
            let text = item.get(name).and_then(Value::as_str);
            text.ok_or(structure(missing)).and_then(Pointer::parse)
        };
        let path = || pointer("path", "the operation needs a path");
        let from = || pointer("from", "the operation needs a path as from");
        match item.get("op").and_then(Value::as_str) {
            Some("add") => Ok(Self::Add(path()?, value(item)?)),
            Some("remove") => Ok(Self::Remove(path()?)),
            Some("replace") => Ok(Self::Replace(path()?, value(item)?)),
            Some("move") => Ok(Self::Move {
                from: from()?,
                to: path()?,
            }),
            Some("copy") => Ok(Self::Copy {
                from: from()?,
                to: path()?,
            }),
            Some("test") => Ok(Self::Test(path()?, value(item)?)),
            _ => Err(structure(
                "op must be add, remove, replace, move, copy or test",
            )),
        }
    }

    /// Applies the operation. `copyable` is the remaining size of copies, in bytes.
    pub(super) fn apply(&self, root: &mut Value, copyable: &mut usize) -> Result<(), PatchError> {
        match self {
            Self::Add(path, value) => add(root, path, value.value().clone()),
            Self::Remove(path) => remove(root, path).map(drop),
            Self::Replace(path, value) => {
                fits(path, value.value())?;
                let target = path.value_mut(root).ok_or(MISSING)?;
                drop(SensitiveJson::new(std::mem::replace(
                    target,
                    value.value().clone(),
                )));
                Ok(())
            }
            Self::Move { from, to } => {
                if from.contains(to) {
                    // To itself: nothing changes. Into itself: impossible (RFC 6902 4.4).
                    let is_same = from.depth() == to.depth() && from.value(root).is_some();
                    let why = "a value cannot be moved into itself";
                    return if is_same {
                        Ok(())
                    } else {
                        Err(PatchError(IssueCode::Value, why))
                    };
                }
                let value = remove(root, from)?;
                add(root, to, value.into_value())
            }
            Self::Copy { from, to } => {
                let source = from.value(root).ok_or(MISSING)?;
                let why = "the copies of the patch are too large (at most 1 MiB)";
                spend(source, copyable).ok_or(PatchError(IssueCode::TooLong, why))?;
                let copy = source.clone();
                add(root, to, copy)
            }
            Self::Test(path, value) => {
                let found = path.value(root).ok_or(MISSING)?;
                let why = "the value at this path is not the one that the patch expects";
                let is_equal = equal(value.value(), found);
                is_equal
                    .then_some(())
                    .ok_or(PatchError(IssueCode::Conflict, why))
            }
        }
    }
}

/// The `value` of an operation; it may be null.
fn value(item: &Value) -> Result<SensitiveJson, PatchError> {
    let why = "the operation needs a value";
    let value = item.get("value").cloned();
    value
        .map(SensitiveJson::new)
        .ok_or(PatchError(IssueCode::Structure, why))
}

/// Adds a value (RFC 6902 4.1).
fn add(root: &mut Value, path: &Pointer, value: Value) -> Result<(), PatchError> {
    // Zeroized if it cannot be added.
    let value = SensitiveJson::new(value);
    fits(path, value.value())?;
    if path.depth() == 0 {
        drop(SensitiveJson::new(std::mem::replace(
            root,
            value.into_value(),
        )));
        return Ok(());
    }
    match path.parent(root).ok_or(NO_PARENT)? {
        Parent::Object(members, name) => {
            if let Some(mut old) = members.insert(name.to_owned(), value.into_value()) {
                zeroize_strings(&mut old);
            }
        }
        Parent::Array(items, "-") => items.push(value.into_value()),
        Parent::Array(items, token) => {
            let at = index(token).filter(|at| *at <= items.len());
            items.insert(at.ok_or(NO_ITEM)?, value.into_value());
        }
    }
    Ok(())
}

/// Removes a value (RFC 6902 4.2).
fn remove(root: &mut Value, path: &Pointer) -> Result<SensitiveJson, PatchError> {
    if path.depth() == 0 {
        return Ok(SensitiveJson::new(root.take()));
    }
    let removed = match path.parent(root).ok_or(MISSING)? {
        Parent::Object(members, name) => members.shift_remove(name),
        Parent::Array(items, token) => index(token)
            .filter(|at| *at < items.len())
            .map(|at| items.remove(at)),
    };
    removed.map(SensitiveJson::new).ok_or(MISSING)
}

/// Checks the depth that a value has at a path: validation and zeroizing recurse.
fn fits(path: &Pointer, value: &Value) -> Result<(), PatchError> {
    let levels = MAX_DEPTH.checked_sub(path.depth()).ok_or(TOO_DEEP)?;
    if is_within(value, levels) {
        Ok(())
    } else {
        Err(TOO_DEEP)
    }
}

/// Whether a value has at most this number of nested objects and arrays.
fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels
            .checked_sub(1)
            .is_some_and(|inner| items.iter().all(|item| is_within(item, inner))),
        Value::Object(members) => levels
            .checked_sub(1)
            .is_some_and(|inner| members.values().all(|member| is_within(member, inner))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Subtracts the size of a value; `None` if it is larger than what remains. Ends at the first excess.
fn spend(value: &Value, remaining: &mut usize) -> Option<()> {
    /// The size of a value besides its text, in bytes: roughly its memory.
    const VALUE_BYTES: usize = 32;
    let mut take = |bytes: usize| {
        *remaining = remaining.checked_sub(bytes)?;
        Some(())
    };
    take(VALUE_BYTES)?;
    match value {
        Value::String(text) => take(text.len()),
        Value::Number(number) => take(number.as_str().len()),
        Value::Array(items) => items.iter().try_for_each(|item| spend(item, remaining)),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            *remaining = remaining.checked_sub(name.len())?;
            spend(member, remaining)
        }),
        Value::Null | Value::Bool(_) => Some(()),
    }
}
