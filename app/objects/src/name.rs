//! The names of objects: opaque ids in folders, from an alphabet that every store and file system takes as it is.

use std::fmt;
use std::str::FromStr;

/// Maximum segments of a name.
pub(crate) const MAX_SEGMENTS: usize = 8;
/// Maximum length of a segment, in bytes: two UUIDs as text, or a SHA-256 in hexadecimal.
const MAX_SEGMENT_BYTES: usize = 80;
/// Maximum length of a name, in bytes.
const MAX_NAME_BYTES: usize = 512;

/// The name of an object: `exports/0b1c…/3`.
///
/// One to 8 segments of one to 80 bytes, separated by `/`. A segment consists of `a` to `z`, `0` to `9`, `-` and `.`, and
/// begins with a letter or a digit: there is no `..`, no hidden file, and no two names that a file system without case
/// confuses. Names are stored in the clear and appear in lists and logs: they must consist of opaque ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

/// The beginning of names: whole segments, each with its `/`, or nothing, which begins every name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPrefix(String);

/// A text is not a name. It is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a name of an object: 1 to 8 segments of 1 to 80 of `a`-`z`, `0`-`9`, `-`, `.`, which begin with a letter or digit"
)]
pub struct InvalidName;

impl ObjectName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, at least one.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl ObjectPrefix {
    /// The beginning of every name.
    #[must_use]
    pub const fn all() -> Self {
        Self(String::new())
    }

    /// The beginning of the names below `folder`: `exports/0b1c…` for `exports/0b1c…/3`.
    #[must_use]
    pub fn below(folder: &ObjectName) -> Self {
        Self(format!("{}/", folder.0))
    }

    /// The beginning as text: empty, or with `/` at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_valid = text.len() <= MAX_NAME_BYTES
            && text.split('/').count() <= MAX_SEGMENTS
            && text.split('/').all(is_segment);
        is_valid.then(|| Self(text.to_owned())).ok_or(InvalidName)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is one segment of a name.
pub(crate) fn is_segment(text: &str) -> bool {
    let begins = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    begins
        && text.len() <= MAX_SEGMENT_BYTES
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn opaque_ids_in_folders_are_names() {
        for name in [
            "a",
            "0",
            "exports/0b1c6f9e-3f0e-4c7f-9a55-0d4a9f0b1c6f/3",
            "tile/0/x001/067.p/5",
            "a/b/c/d/e/f/g/h",
        ] {
            assert_eq!(name.parse::<ObjectName>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn what_leaves_the_folder_or_is_confused_with_another_name_is_none() {
        let (long, deep) = ("a".repeat(81), "a/".repeat(8) + "a");
        for text in [
            "", "/", "a/", "/a", "a//b", ".", "..", "../a", "a/..", "a/../b", ".a", "-a", "A",
            "a b", "a\\b", "a\0", "ä", "a:b", "a%2fb", "a_b", "a\n", &long, &deep,
        ] {
            assert_eq!(text.parse::<ObjectName>(), Err(InvalidName), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_a_relative_path_without_special_components(text in "[a./-]{0,20}|\\PC{0,20}") {
            if let Ok(name) = text.parse::<ObjectName>() {
                let path = std::path::Path::new(name.as_str());
                let normal = |it| matches!(it, std::path::Component::Normal(_));
                prop_assert!(path.components().all(normal));
                prop_assert_eq!(path.components().count(), name.segments().count());
            }
        }
    }
}
