//! What is asked of the policies: `iam.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::Fault;

/// Everything that has to hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Ids of keys that parameters of another deployment give away.
    #[serde(default)]
    pub(super) key: BTreeMap<String, String>,
    /// What a request carries, by the name that cases give it.
    pub(super) context: BTreeMap<String, Context>,
    /// All that roles may do.
    pub(super) may: Vec<May>,
    /// Single questions, several to a rule.
    pub(super) case: Vec<Case>,
}

/// Some of what a request carries.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Context {
    /// Keys that it is certain not to carry.
    #[serde(default)]
    pub(super) absent: Vec<String>,
    /// Keys with their values.
    #[serde(flatten)]
    pub(super) present: BTreeMap<String, Present>,
}

/// A key's value, or values.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Present {
    One(String),
    Several(Vec<String>),
}

/// Something that some roles may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct May {
    pub(super) who: Vec<String>,
    pub(super) actions: Vec<String>,
    /// AWS's levels of access, such as `List`, if it is these only.
    #[serde(default)]
    pub(super) level: Vec<String>,
    pub(super) on: Vec<String>,
}

/// A question with the answer that it has to have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) rule: String,
    pub(super) who: Vec<String>,
    /// Of whom it is not asked, where `who` says `every role`.
    #[serde(default)]
    pub(super) but: Vec<String>,
    pub(super) actions: Vec<String>,
    #[serde(default)]
    pub(super) on: Vec<String>,
    #[serde(default)]
    pub(super) except: Vec<String>,
    /// Names of contexts.
    #[serde(default)]
    pub(super) with: Vec<String>,
    /// The endpoint that the request comes through.
    #[serde(default)]
    pub(super) through: Option<String>,
    /// Whether the organization's policies are in force too.
    #[serde(default)]
    pub(super) under_organization: bool,
    pub(super) expect: Expectation,
}

/// The answer that a case has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expectation {
    /// With this context.
    Allowed,
    /// With this context.
    Denied,
    /// Whatever else the request carries.
    Never,
}

impl Catalogue {
    /// Reads `iam.toml` of a folder.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join("iam.toml");
        let text = fs::read_to_string(&path).map_err(|error| error.to_string());
        let read = text.and_then(|text| toml::from_str(&text).map_err(|error| error.to_string()));
        let mut read: Self =
            read.map_err(|error| Fault::new(error).within(&path.display().to_string()))?;
        for case in &mut read.case {
            case.rule.insert_str(0, "iam/");
        }
        Ok(read)
    }
}

/// Whether a pattern with `*` and `?` is of a text, as IAM compares them. Case does not matter.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.as_bytes(), text.as_bytes());
    // Behind the last star, and how much of the text it stands before.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', rest)), _) => {
                again = Some((rest, text));
                pattern = rest;
            }
            (Some((sign, rest)), Some((found, later)))
                if *sign == b'?' || sign.eq_ignore_ascii_case(found) =>
            {
                (pattern, text) = (rest, later);
            }
            (None, None) => return true,
            // The star stands for one more.
            _ => match again.and_then(|(rest, from)| Some((rest, from.split_first()?.1))) {
                Some((rest, from)) => {
                    again = Some((rest, from));
                    (pattern, text) = (rest, from);
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_compared_as_iam_does() {
        for (pattern, text) in [
            ("*", ""),
            ("s3:Get*", "s3:GetObject"),
            ("a?c*", "abc"),
            ("*b*d", "abcd"),
            ("KMS:*", "kms:Decrypt"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("s3:Get", "s3:GetObject"),
            ("a?c", "ac"),
            ("*b", "abc"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn the_catalogue_can_be_read() {
        let read = Catalogue::read(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        for case in &read.case {
            for name in &case.with {
                assert!(
                    read.context.contains_key(name),
                    "{} names the context {name}",
                    case.rule
                );
            }
        }
    }
}
