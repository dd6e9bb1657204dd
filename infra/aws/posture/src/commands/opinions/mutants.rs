//! Which public rule sets notice a mutant: for the comparison in the mutation study.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use posture::Architecture;

use super::stem;
use super::surroundings::surroundings;
use progress::Progress;
use tools::Judge;
use tools::Said;

/// An environment with one fault.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Mutated {
    /// What it is called.
    pub(in crate::commands) name: String,
    /// `dev` or `prod`.
    pub(in crate::commands) environment: String,
    /// With the fault.
    pub(in crate::commands) architecture: Architecture,
}

/// What the public rule sets notice.
#[derive(Debug)]
pub(in crate::commands) struct Noticed {
    pub(super) judges: Vec<Judge>,
    /// By a mutant's name: the tools that find something in it that they do not find without the
    /// fault, with their rules.
    pub(in crate::commands) by_mutant: BTreeMap<String, BTreeMap<Judge, BTreeSet<String>>>,
}

/// Asks about every mutant, and about the environments without a fault.
///
/// A finding is new if the same was not said of the same resource before. A document that a tool
/// refuses to read counts as noticed, which is kind to the tool. cdk-nag is asked about whole
/// documents; the others take seconds for one, and are asked about the stacks that a fault is in, with
/// what these refer to.
///
/// # Errors
/// When a tool cannot be had, or fails.
pub(in crate::commands) fn noticed(
    mutants: impl Iterator<Item = Mutated>,
    unmutated: &BTreeMap<String, Architecture>,
    judges: &[Judge],
    progress: Progress,
) -> anyhow::Result<Noticed> {
    let step = progress.step("writing down every fault");
    let documents = Documents::write(mutants, unmutated)?;
    step.done();
    let mut by_mutant: BTreeMap<String, BTreeMap<Judge, BTreeSet<String>>> = BTreeMap::new();
    for mutant in documents.whole.before.keys() {
        by_mutant.entry(stem(mutant)).or_default();
    }
    for judge in judges {
        let asked = match judge {
            Judge::CdkNag => &documents.whole,
            Judge::CfnLint | Judge::Checkov | Judge::GuardHipaa => &documents.near,
        };
        let all: BTreeSet<PathBuf> = asked
            .before
            .clone()
            .into_iter()
            .flat_map(<[_; 2]>::from)
            .collect();
        let all: Vec<PathBuf> = all.into_iter().collect();
        let step = progress.step(&format!("asking {judge} about {} documents", all.len()));
        let said = judge.say(&all, progress)?;
        for (mutant, before) in &asked.before {
            let rules = new_rules(said.get(mutant), said.get(before));
            if !rules.is_empty() {
                by_mutant
                    .entry(stem(mutant))
                    .or_default()
                    .insert(*judge, rules);
            }
        }
        step.done();
    }
    let judges = judges.to_vec();
    Ok(Noticed { judges, by_mutant })
}

/// The rules that say something new.
fn new_rules(said: Option<&Vec<Said>>, before: Option<&Vec<Said>>) -> BTreeSet<String> {
    let before: BTreeSet<&Said> = before.into_iter().flatten().collect();
    let new = said
        .into_iter()
        .flatten()
        .filter(|said| !before.contains(said));
    new.map(|said| said.rule.clone()).collect()
}

/// Documents in a folder of their own. There are many and each is large, so none is kept in memory.
struct Documents {
    _folder: tempfile::TempDir,
    whole: Pairs,
    near: Pairs,
}

/// Documents with a fault and without.
struct Pairs {
    folder: PathBuf,
    /// For each mutant's document, the one without the fault.
    before: BTreeMap<PathBuf, PathBuf>,
    /// Those without, by the environment and what is kept of it.
    known: BTreeMap<(String, Option<BTreeSet<String>>), PathBuf>,
}

impl Documents {
    fn write(
        mutants: impl Iterator<Item = Mutated>,
        unmutated: &BTreeMap<String, Architecture>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a folder for documents cannot be made")?;
        let mut whole = Pairs::within(&folder.path().join("whole"))?;
        let mut near = Pairs::within(&folder.path().join("near"))?;
        for mutant in mutants {
            let original = unmutated.get(&mutant.environment);
            let original = original.with_context(|| format!("no {}", mutant.environment))?;
            whole.add(&mutant, original, None)?;
            near.add(
                &mutant,
                original,
                Some(surroundings(original, &mutant.architecture)),
            )?;
        }
        Ok(Self {
            _folder: folder,
            whole,
            near,
        })
    }
}

impl Pairs {
    fn within(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder.join("without"))
            .context("a folder for documents cannot be made")?;
        Ok(Self {
            folder: folder.to_path_buf(),
            before: BTreeMap::new(),
            known: BTreeMap::new(),
        })
    }

    fn add(
        &mut self,
        mutant: &Mutated,
        original: &Architecture,
        kept: Option<BTreeSet<String>>,
    ) -> anyhow::Result<()> {
        let path = self.folder.join(format!("{}.json", mutant.name));
        write(
            &path,
            &restricted(&mutant.architecture, original, kept.as_ref()),
        )?;
        let number = self.known.len();
        let without = self.folder.join(format!("without/{number}.json"));
        let key = (mutant.environment.clone(), kept);
        if !self.known.contains_key(&key) {
            write(&without, &restricted(original, original, key.1.as_ref()))?;
        }
        let without = self.known.entry(key).or_insert(without);
        self.before.insert(path, without.clone());
        Ok(())
    }
}

/// What is kept of an architecture, and what the original did not have.
fn restricted(
    architecture: &Architecture,
    original: &Architecture,
    kept: Option<&BTreeSet<String>>,
) -> Architecture {
    let resources = architecture.resources().filter(|resource| {
        kept.is_none_or(|kept| kept.contains(resource.id))
            || original.resource(resource.id).is_none()
    });
    let resources = resources.map(|resource| (resource.id.to_owned(), resource.whole.clone()));
    Architecture::of(resources.collect())
}

fn write(path: &Path, architecture: &Architecture) -> anyhow::Result<()> {
    fs::write(path, architecture.document().to_string())
        .with_context(|| format!("{} cannot be written", path.display()))
}
