//! The contents of the folder `infra/aws`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use posture::Architecture;
use posture::Environment;
use posture::Templates;
use posture::controls::Register;
use posture::guard;
use posture::iam::PolicyExpectations;
use posture::machine;
use posture::machine::Units;
use posture::reach;

use tools::workspace;

/// The names of all environments.
pub(super) const ENVIRONMENTS: [&str; 2] = ["dev", "prod"];

/// Templates, environments, controls and rules.
#[derive(Debug)]
pub(super) struct Project {
    /// The path of `infra/aws`.
    pub(super) folder: PathBuf,
    pub(super) templates: Templates,
    environments: BTreeMap<&'static str, Environment>,
    pub(super) units: Units,
    pub(super) policy_expectations: PolicyExpectations,
    pub(super) register: Register,
    /// The rule files for cfn-guard, each with the names of its rules.
    pub(super) guard_files: BTreeMap<PathBuf, Vec<String>>,
}

impl Project {
    /// Reads the folder of this repository.
    ///
    /// # Errors
    /// When a file cannot be read or parsed.
    pub(super) fn read() -> anyhow::Result<Self> {
        let folder = workspace::root()?.join("infra/aws");
        let mut environments = BTreeMap::new();
        for name in ENVIRONMENTS {
            environments.insert(name, Environment::read(&folder.join("parameters"), name)?);
        }
        Ok(Self {
            templates: Templates::read(&folder.join("templates"))?,
            environments,
            units: Units::read(&folder)?,
            policy_expectations: PolicyExpectations::read(&folder)?,
            register: Register::read(&folder.join("controls"))?,
            guard_files: guard::files(&folder.join("rules"))?,
            folder,
        })
    }

    /// An environment by its name.
    ///
    /// # Errors
    /// When there is no such environment.
    pub(super) fn environment(&self, name: &str) -> anyhow::Result<&Environment> {
        let found = self.environments.get(name);
        found.with_context(|| {
            format!(
                "there is no environment `{name}`: use {}",
                ENVIRONMENTS.join(" or ")
            )
        })
    }

    /// The architecture of an environment.
    ///
    /// # Errors
    /// When there is no such environment, or the templates cannot be assembled.
    pub(super) fn architecture(&self, environment: &str) -> anyhow::Result<Architecture> {
        self.architecture_of(&self.templates, environment)
    }

    /// The architecture of an environment with other templates.
    ///
    /// # Errors
    /// See [`Project::architecture`].
    pub(super) fn architecture_of(
        &self,
        templates: &Templates,
        environment: &str,
    ) -> anyhow::Result<Architecture> {
        Ok(posture::assemble(
            templates,
            self.environment(environment)?,
        )?)
    }

    /// The architectures of all environments, by their names.
    ///
    /// # Errors
    /// When the templates cannot be assembled.
    pub(super) fn architectures(&self) -> anyhow::Result<BTreeMap<String, Architecture>> {
        let all = ENVIRONMENTS.into_iter();
        all.map(|name| Ok((name.to_owned(), self.architecture(name)?)))
            .collect()
    }

    /// The file of a rule for cfn-guard, and the rule's name in it; none for other rules.
    pub(super) fn guard_file(&self, rule: &str) -> Option<(&Path, &str)> {
        let name = rule.strip_prefix("guard/")?;
        self.guard_files.iter().find_map(|(path, names)| {
            let name = names.iter().find(|one| *one == name)?;
            Some((path.as_path(), name.as_str()))
        })
    }

    /// The names of all rules.
    pub(super) fn rules(&self) -> BTreeSet<String> {
        let guard = self
            .guard_files
            .values()
            .flatten()
            .map(|name| format!("guard/{name}"));
        let computed = machine::names()
            .chain(reach::names())
            .chain(self.policy_expectations.rules());
        guard.chain(computed).collect()
    }
}
