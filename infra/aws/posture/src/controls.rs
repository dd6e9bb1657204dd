//! The register of controls in `controls/`: the requirements, the controls that meet them, the rule that checks each
//! control, and the faults that prove the rule. One file for each template, and one for the requirements.

use std::path::Path;
use std::slice;

use serde::Deserialize;
use serde_json::Value;

use crate::error::InputError;
use crate::source_file;

/// All requirements and controls.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The requirements.
    #[serde(default, rename = "requirement")]
    pub requirements: Vec<Requirement>,
    /// The controls that meet them.
    #[serde(default, rename = "control")]
    pub controls: Vec<Control>,
    /// Resource types without a control.
    #[serde(default, rename = "exemption")]
    pub exemptions: Vec<Exemption>,
}

/// A requirement of the reference architecture, or a technical safeguard of HIPAA.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Lower-case words joined by hyphens.
    pub id: String,
    /// The requirement in a sentence.
    pub text: String,
    /// The citation of a safeguard; empty for a requirement of the architecture.
    #[serde(default)]
    pub source: String,
}

/// A property of a resource that meets a requirement.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Control {
    /// Lower-case words joined by hyphens.
    pub id: String,
    /// The ids of the requirements that it meets.
    pub requirement: OneOrMore,
    /// Citations of 45 CFR, such as `164.312(a)(2)(iv)`.
    pub cfr: Vec<String>,
    /// `template/LogicalId`, or a systemd unit: `machine/units/web.service`.
    pub resource: String,
    /// The path of the property within the resource; empty for the resource itself.
    #[serde(default)]
    pub property: String,
    /// `guard/…`, `reach/…`, `iam/…` or `machine/…`.
    pub rule: String,
    /// Single faults. The rule must detect each.
    pub mutants: Vec<Mutant>,
    /// The environments in which it holds; empty for all.
    #[serde(default)]
    pub environments: Vec<String>,
    /// Why it does not hold in all environments.
    #[serde(default)]
    pub reason: String,
}

/// A single fault.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mutant {
    /// The value that replaces the property's.
    pub set: Option<Value>,
    /// A value that is appended to a list.
    pub append: Option<Value>,
    /// Whether the property is removed.
    #[serde(default)]
    pub remove: bool,
    /// Whether the whole resource is removed.
    #[serde(default)]
    pub resource_gone: bool,
    /// The path of the property, if it is not the control's.
    pub property: Option<String>,
    /// The resource, if it is not the control's.
    pub resource: Option<String>,
}

/// A resource type without a control.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// The type, such as `AWS::EC2::RouteTable`.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// Why it needs no control.
    pub reason: String,
}

/// One text or a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One text.
    One(String),
    /// A list.
    More(Vec<String>),
}

impl OneOrMore {
    /// All items.
    #[must_use]
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => slice::from_ref(one),
            Self::More(several) => several,
        }
    }
}

impl Register {
    /// Reads every `.toml` file of a folder.
    ///
    /// # Errors
    /// When a file cannot be read, or has an unknown key.
    pub fn read(folder: &Path) -> Result<Self, InputError> {
        let mut register = Self::default();
        for file in source_file::read_with_extension(folder, "toml")? {
            let part: Self =
                toml::from_str(&file.text).map_err(|error| file.error(error.to_string()))?;
            register.requirements.extend(part.requirements);
            register.controls.extend(part.controls);
            register.exemptions.extend(part.exemptions);
        }
        Ok(register)
    }
}

impl Control {
    /// Whether it must hold in an environment.
    #[must_use]
    pub fn holds_in(&self, environment: &str) -> bool {
        self.environments.is_empty() || self.environments.iter().any(|name| name == environment)
    }
}
