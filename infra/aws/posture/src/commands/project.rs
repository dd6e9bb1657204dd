//! The folder `infra/aws`, read.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use posture::Architecture;
use posture::Environment;
use posture::Templates;
use posture::controls::Register;
use posture::iam::Catalogue;
use posture::machine;
use posture::machine::Machine;
use posture::reach;
use posture::rules;

use tools::workspace;

/// The environments that there are.
pub(crate) const ENVIRONMENTS: [&str; 2] = ["dev", "prod"];

/// Templates, environments, controls and rules.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) templates: Templates,
    environments: BTreeMap<&'static str, Environment>,
    pub(crate) machine: Machine,
    /// What is asked of the policies.
    pub(crate) catalogue: Catalogue,
    pub(crate) register: Register,
    /// cfn-guard's files, each with the names of its rules.
    pub(crate) guard_files: BTreeMap<PathBuf, Vec<String>>,
}

impl Project {
    pub(crate) fn read() -> anyhow::Result<Self> {
        Self::of(&workspace::root()?.join("infra/aws"))
    }

    fn of(folder: &Path) -> anyhow::Result<Self> {
        let mut environments = BTreeMap::new();
        for name in ENVIRONMENTS {
            environments.insert(name, Environment::read(&folder.join("parameters"), name)?);
        }
        Ok(Self {
            templates: Templates::read(&folder.join("templates"))?,
            environments,
            machine: Machine::read(folder)?,
            catalogue: Catalogue::read(folder)?,
            register: Register::read(&folder.join("controls"))?,
            guard_files: rules::files(&folder.join("rules"))?,
            folder: folder.to_path_buf(),
        })
    }

    pub(crate) fn environment(&self, name: &str) -> anyhow::Result<&Environment> {
        let found = self.environments.get(name);
        found.with_context(|| {
            format!(
                "there is no environment `{name}`: there are {}",
                ENVIRONMENTS.join(" and ")
            )
        })
    }

    /// What an environment deploys.
    pub(crate) fn architecture(&self, environment: &str) -> anyhow::Result<Architecture> {
        self.architecture_of(&self.templates, environment)
    }

    /// What it would deploy with other templates.
    pub(crate) fn architecture_of(
        &self,
        templates: &Templates,
        environment: &str,
    ) -> anyhow::Result<Architecture> {
        Ok(posture::assemble(
            templates,
            self.environment(environment)?,
        )?)
    }

    /// The file that a rule of cfn-guard stands in, and its name there.
    pub(crate) fn guard_file(&self, rule: &str) -> Option<(&Path, &str)> {
        let name = rule.strip_prefix("guard/")?;
        self.guard_files.iter().find_map(|(path, names)| {
            let name = names.iter().find(|one| *one == name)?;
            Some((path.as_path(), name.as_str()))
        })
    }

    /// The names of all rules.
    pub(crate) fn rules(&self) -> BTreeSet<String> {
        let guard = self
            .guard_files
            .values()
            .flatten()
            .map(|name| format!("guard/{name}"));
        let computed = machine::names()
            .chain(reach::names())
            .chain(self.catalogue.rules());
        guard.chain(computed).collect()
    }
}
