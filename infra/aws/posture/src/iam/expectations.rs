//! The expectations about policies: `iam.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::error::InputError;

/// The contents of `iam.toml`. The head of that file explains its terms.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyExpectations {
    /// Ids of KMS keys that parameters of other deployments contain, by the key's label.
    #[serde(default)]
    pub(super) key: BTreeMap<String, String>,
    /// Request contexts by name.
    pub(super) context: BTreeMap<String, Context>,
    /// The complete list of what roles may do.
    #[serde(rename = "grant")]
    pub(super) grants: Vec<Grant>,
    /// Single expectations; several make a rule.
    #[serde(rename = "case")]
    pub(super) cases: Vec<Case>,
}

/// A part of a request context.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Context {
    /// Condition keys that the request certainly does not carry.
    #[serde(default)]
    pub(super) absent: Vec<String>,
    /// Condition keys with their values.
    #[serde(flatten)]
    pub(super) present: BTreeMap<String, ContextValue>,
}

/// The value or values of a condition key.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ContextValue {
    One(String),
    Several(Vec<String>),
}

/// Actions that some roles may take on some resources.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    pub(super) principals: Vec<String>,
    pub(super) actions: Vec<String>,
    /// AWS's access levels, such as `List`, to which the actions are limited; empty for no limit.
    #[serde(default)]
    pub(super) level: Vec<String>,
    pub(super) resources: Vec<String>,
}

/// An expectation about requests: one for each combination of principal, action and resource.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) rule: String,
    pub(super) principals: Vec<String>,
    /// Exceptions from `every role`.
    #[serde(default)]
    pub(super) except_principals: Vec<String>,
    pub(super) actions: Vec<String>,
    #[serde(default)]
    pub(super) resources: Vec<String>,
    #[serde(default)]
    pub(super) except_resources: Vec<String>,
    /// Names of contexts.
    #[serde(default)]
    pub(super) contexts: Vec<String>,
    /// The VPC endpoint that the request passes.
    #[serde(default)]
    pub(super) endpoint: Option<String>,
    /// Whether the organization's service control policies apply as well.
    #[serde(default)]
    pub(super) under_organization: bool,
    pub(super) expect: Expected,
}

/// The expected result of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expected {
    /// Allowed with the given context.
    Allowed,
    /// Denied with the given context.
    Denied,
    /// Denied with every context that contains the given one.
    Never,
}

impl PolicyExpectations {
    /// Reads `iam.toml` of a folder.
    ///
    /// # Errors
    /// When the file cannot be read or parsed.
    pub fn read(folder: &Path) -> Result<Self, InputError> {
        let path = folder.join("iam.toml");
        let text = fs::read_to_string(&path).map_err(|error| error.to_string());
        let read = text.and_then(|text| toml::from_str(&text).map_err(|error| error.to_string()));
        let mut read: Self =
            read.map_err(|error| InputError::new(error).within(&path.display().to_string()))?;
        for case in &mut read.cases {
            case.rule.insert_str(0, "iam/");
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_context_that_a_case_names_is_defined() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let read = PolicyExpectations::read(&folder).unwrap();
        for case in &read.cases {
            for name in &case.contexts {
                assert!(
                    read.context.contains_key(name),
                    "{} names the context {name}",
                    case.rule
                );
            }
        }
    }
}
