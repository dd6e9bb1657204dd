//! `controls/`: each sentence of the architecture, what makes it true, the rule that would notice if it
//! were not, and the faults that prove the rule. One file for each template, one for the sentences.

use std::path::Path;
use std::slice;

use serde::Deserialize;
use serde_json::Value;

use crate::fault::Fault;
use crate::folder;

/// The whole register.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// What has to be true.
    #[serde(default, rename = "sentence")]
    pub sentences: Vec<Sentence>,
    /// What makes it true.
    #[serde(default, rename = "control")]
    pub controls: Vec<Control>,
    /// Types of resources that no control names, and why none has to.
    #[serde(default, rename = "plain")]
    pub plain: Vec<Plain>,
}

/// A sentence of the reference architecture, or a technical safeguard.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentence {
    /// Lower-case words joined by hyphens.
    pub id: String,
    /// The sentence.
    pub text: String,
    /// Where it comes from, if it is a safeguard: its citation.
    #[serde(default)]
    pub source: String,
}

/// One property of one resource that has to be as it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Control {
    /// Lower-case words joined by hyphens.
    pub id: String,
    /// The sentences it stands for, by their ids.
    pub sentence: OneOrMore,
    /// Citations of 45 CFR, such as `164.312(a)(2)(iv)`.
    pub cfr: Vec<String>,
    /// `template/LogicalId`, or a file of an instance: `machine/units/web.service`.
    pub resource: String,
    /// The way to the property within it; empty for the resource itself.
    #[serde(default)]
    pub property: String,
    /// `guard/…`, `reach/…`, `iam/…` or `machine/…`.
    pub rule: String,
    /// Single faults. The rule has to notice each.
    pub mutants: Vec<Mutant>,
    /// Where it holds, if not everywhere.
    #[serde(default)]
    pub environments: Vec<String>,
    /// Why it does not hold everywhere.
    #[serde(default)]
    pub reason: String,
}

/// One single fault.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mutant {
    /// The value that is put there instead.
    pub set: Option<Value>,
    /// What is added at the end of a list.
    pub append: Option<Value>,
    /// The property is taken away.
    #[serde(default)]
    pub remove: bool,
    /// The whole resource is taken away.
    #[serde(default)]
    pub resource_gone: bool,
    /// Where, if not at the control's own property.
    pub property: Option<String>,
    /// On which resource, if not the control's own.
    pub resource: Option<String>,
}

/// A type of resource without a control.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plain {
    /// Such as `AWS::EC2::RouteTable`.
    pub kind: String,
    /// Why it needs none.
    pub reason: String,
}

/// A word, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// Just one.
    One(String),
    /// Several.
    More(Vec<String>),
}

impl OneOrMore {
    /// All of them.
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
    /// When one cannot be read, or holds what a register does not.
    pub fn read(folder: &Path) -> Result<Self, Fault> {
        let mut register = Self::default();
        for file in folder::files_of(folder, "toml")? {
            let part: Self =
                toml::from_str(&file.text).map_err(|error| file.fault(error.to_string()))?;
            register.sentences.extend(part.sentences);
            register.controls.extend(part.controls);
            register.plain.extend(part.plain);
        }
        Ok(register)
    }
}

impl Control {
    /// Whether it has to hold in an environment.
    #[must_use]
    pub fn holds_in(&self, environment: &str) -> bool {
        self.environments.is_empty() || self.environments.iter().any(|name| name == environment)
    }
}
