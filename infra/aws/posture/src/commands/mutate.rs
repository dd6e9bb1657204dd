//! Mutation testing of the rules: each control lists faults, and its rule must detect each of them.

mod report;

use std::collections::BTreeMap;
use std::panic;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use anyhow::Context;
use anyhow::ensure;
use posture::Architecture;
use posture::Verdict;
use posture::controls::Control;
use posture::controls::Mutant;
use posture::machine;
use posture::machine::Units;
use posture::reach;

use super::cfn_guard::CfnGuard;
use super::policies;
use super::project::ENVIRONMENTS;
use super::project::Project;
use progress::Progress;

use report::MutantResult;
pub(super) use report::Report;
use report::Status;

/// The number of documents in one run of cfn-guard.
const BATCH_SIZE: usize = 16;

/// A mutant of a control.
#[derive(Clone, Copy)]
struct Mutation<'p> {
    control: &'p Control,
    mutant: &'p Mutant,
    /// From 1, in the order of the control's list.
    number: usize,
}

/// What evaluates a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Engine<'p> {
    /// The policy simulator.
    Simulator,
    /// cfn-guard, with a rule of a file.
    CfnGuard(&'p Path, &'p str),
    /// This crate.
    BuiltIn,
}

/// Mutations whose rules one run of an engine evaluates.
struct Batch<'p> {
    engine: Engine<'p>,
    mutations: Vec<Mutation<'p>>,
}

/// A project with a fault.
enum Mutated {
    Units(Units),
    Architecture(Architecture),
}

/// Tests the mutants of all controls, or of those whose ids begin with one of `prefixes`.
///
/// # Errors
/// When no control matches, or an engine fails.
pub(super) fn run(
    project: &Project,
    prefixes: &[String],
    progress: Progress,
) -> anyhow::Result<Report> {
    let runner = Runner {
        project,
        guard: CfnGuard::obtain(progress)?,
        original: project.architecture("prod")?,
        progress,
    };
    let batches = batches(project, prefixes);
    let number: usize = batches.iter().map(|batch| batch.mutations.len()).sum();
    ensure!(
        number > 0,
        "no control has an id that begins with {}: see infra/aws/CONTROLS.md",
        prefixes.join(" or ")
    );
    let step = progress.step(&format!("testing {number} mutants"));
    let next = AtomicUsize::new(0);
    let collected = Mutex::new(Vec::new());
    let work = || {
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let results = runner.results(batch);
            let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
            collected.push(results);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
    });
    step.done();
    let collected = collected
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let mut results = Vec::new();
    for batch in collected {
        results.extend(batch?);
    }
    results.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Report(results))
}

fn batches<'p>(project: &'p Project, prefixes: &[String]) -> Vec<Batch<'p>> {
    let is_selected = |control: &&Control| {
        prefixes.is_empty() || prefixes.iter().any(|prefix| control.id.starts_with(prefix))
    };
    let mut by_engine: BTreeMap<Engine<'_>, Vec<Mutation<'_>>> = BTreeMap::new();
    for control in project.register.controls.iter().filter(is_selected) {
        let engine = match project.guard_file(&control.rule) {
            Some((file, rule)) => Engine::CfnGuard(file, rule),
            None if control.rule.starts_with("iam/") => Engine::Simulator,
            None => Engine::BuiltIn,
        };
        let mutants = control.mutants.iter().zip(1..);
        let mutations = mutants.map(|(mutant, number)| Mutation {
            control,
            mutant,
            number,
        });
        by_engine.entry(engine).or_default().extend(mutations);
    }
    let mut batches = Vec::new();
    for (engine, mutations) in by_engine {
        // The simulator caches results, and mutants share most of their queries: one run for all.
        let size = if engine == Engine::Simulator {
            mutations.len().max(1)
        } else {
            BATCH_SIZE
        };
        let chunks = mutations.chunks(size).map(<[_]>::to_vec);
        batches.extend(chunks.map(|mutations| Batch { engine, mutations }));
    }
    batches
}

/// What is needed to test mutants.
struct Runner<'p> {
    project: &'p Project,
    guard: CfnGuard,
    /// Production without a fault.
    original: Architecture,
    progress: Progress,
}

impl Runner<'_> {
    fn results(&self, batch: &Batch<'_>) -> anyhow::Result<Vec<MutantResult>> {
        let mut verdicts: BTreeMap<String, Vec<Verdict>> = BTreeMap::new();
        let mut documents = BTreeMap::new();
        let mut results = Vec::new();
        for mutation in &batch.mutations {
            let mut result = mutation.result();
            match mutation.apply(self.project) {
                Ok(Mutated::Units(units)) => {
                    verdicts.insert(mutation.name(), machine::evaluate(&units));
                }
                Ok(Mutated::Architecture(architecture)) => {
                    documents.insert(mutation.name(), architecture);
                }
                Err(error) => result.status = Status::Unviable(format!("{error:#}")),
            }
            results.push(result);
        }
        verdicts.extend(self.evaluate(batch.engine, &documents)?);
        for result in &mut results {
            let verdicts = verdicts.get(&result.name).into_iter().flatten();
            let mut failed = verdicts.filter(|verdict| !verdict.passed);
            if failed.any(|verdict| verdict.rule == result.rule) {
                result.status = Status::Killed;
            }
        }
        Ok(results)
    }

    fn evaluate(
        &self,
        engine: Engine<'_>,
        documents: &BTreeMap<String, Architecture>,
    ) -> anyhow::Result<BTreeMap<String, Vec<Verdict>>> {
        match engine {
            Engine::CfnGuard(file, rule) => {
                self.guard
                    .evaluate_rule(file, rule, documents, &self.original)
            }
            Engine::Simulator => {
                let expectations = &self.project.policy_expectations;
                policies::evaluate(expectations, documents, self.progress)
            }
            Engine::BuiltIn => {
                let each = documents.iter();
                Ok(each
                    .map(|(name, architecture)| (name.clone(), reach::evaluate(architecture)))
                    .collect())
            }
        }
    }
}

impl Mutation<'_> {
    fn name(&self) -> String {
        format!("{}-{}", self.control.id, self.number)
    }

    /// A result with the status of a mutant that was not detected.
    fn result(&self) -> MutantResult {
        let Self {
            control, mutant, ..
        } = self;
        let names_property = mutant.property.is_some() || mutant.resource.is_some();
        let property = if names_property {
            String::new()
        } else {
            format!("{} ", control.property)
        };
        MutantResult {
            name: self.name(),
            fault: format!("{} {property}{mutant}", control.resource),
            rule: control.rule.clone(),
            status: Status::Survived,
        }
    }

    fn apply(&self, project: &Project) -> anyhow::Result<Mutated> {
        let Self {
            control, mutant, ..
        } = self;
        let resource = mutant.resource.as_ref().unwrap_or(&control.resource);
        if resource.starts_with("machine/") {
            return Ok(Mutated::Units(project.units.mutated(control, mutant)?));
        }
        let templates = control.mutated(&project.templates, mutant)?;
        let architecture = project.architecture_of(&templates, self.environment()?)?;
        Ok(Mutated::Architecture(architecture))
    }

    /// Production, or another environment if the control does not hold in production.
    fn environment(&self) -> anyhow::Result<&'static str> {
        let mut environments = ENVIRONMENTS.into_iter().rev();
        let environment = environments.find(|name| self.control.holds_in(name));
        environment.context("the control holds in no environment")
    }
}
