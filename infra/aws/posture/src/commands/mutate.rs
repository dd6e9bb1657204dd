//! The mutation study: every control is proved by a fault that its rule notices.

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
use posture::controls::Control;
use posture::controls::Mutant;
use posture::machine;
use posture::machine::Machine;
use posture::reach;
use posture::rules::Verdict;

use super::cfn_guard::Guard;
use super::policies;
use super::project::ENVIRONMENTS;
use super::project::Project;
use progress::Progress;

use report::End;
use report::Outcome;
pub(super) use report::Study;

/// So many documents are given to cfn-guard at a time.
const BATCH: usize = 16;

/// One single fault, and the control that it is against.
#[derive(Clone, Copy)]
struct Fault<'p> {
    control: &'p Control,
    mutant: &'p Mutant,
    number: usize,
}

/// Makes the faults of the controls whose ids begin with one of `only`, or all.
pub(super) fn run(project: &Project, only: &[String], progress: Progress) -> anyhow::Result<Study> {
    let judges = Judges {
        project,
        guard: Guard::obtain(progress)?,
        sound: project.architecture("prod")?,
        progress,
    };
    let batches = batches(project, only);
    let number: usize = batches.iter().map(|(_, faults)| faults.len()).sum();
    ensure!(
        number > 0,
        "no control has an id that begins with {}: see infra/aws/CONTROLS.md",
        only.join(" or ")
    );
    let step = progress.step(&format!("making {number} faults, one at a time"));
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let work = || {
        while let Some((judge, faults)) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcomes = judged(&judges, *judge, faults);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.push(outcomes);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for worker in threads {
            worker
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    step.done();
    let mut outcomes = Vec::new();
    for batch in found {
        outcomes.extend(batch?);
    }
    outcomes.sort_by(|one, other| one.mutant.cmp(&other.mutant));
    Ok(Study(outcomes))
}

/// Who is to notice a fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Judge<'p> {
    /// The policy simulator. It is asked about everything at once, for mutants have most in common.
    Simulator,
    /// cfn-guard, with one rule of a file.
    Guard(&'p Path, &'p str),
    /// What is computed here.
    Ourselves,
}

/// Faults for the same judge, a few at a time.
fn batches<'p>(project: &'p Project, only: &[String]) -> Vec<(Judge<'p>, Vec<Fault<'p>>)> {
    let is_asked = |control: &&Control| {
        only.is_empty()
            || only
                .iter()
                .any(|beginning| control.id.starts_with(beginning))
    };
    let mut by_judge: BTreeMap<Judge<'_>, Vec<Fault<'_>>> = BTreeMap::new();
    for control in project.register.controls.iter().filter(is_asked) {
        let judge = match project.guard_file(&control.rule) {
            Some((file, rule)) => Judge::Guard(file, rule),
            None if control.rule.starts_with("iam/") => Judge::Simulator,
            None => Judge::Ourselves,
        };
        let faults = control.mutants.iter().zip(1..);
        let faults = faults.map(|(mutant, number)| Fault {
            control,
            mutant,
            number,
        });
        by_judge.entry(judge).or_default().extend(faults);
    }
    let mut batches = Vec::new();
    for (judge, faults) in by_judge {
        let most = if judge == Judge::Simulator {
            faults.len()
        } else {
            BATCH
        };
        batches.extend(
            faults
                .chunks(most.max(1))
                .map(|chunk| (judge, chunk.to_vec())),
        );
    }
    batches
}

/// What it takes to judge.
struct Judges<'p> {
    project: &'p Project,
    guard: Guard,
    /// Production without a fault.
    sound: Architecture,
    progress: Progress,
}

/// What becomes of a few faults.
fn judged(
    judges: &Judges<'_>,
    judge: Judge<'_>,
    faults: &[Fault<'_>],
) -> anyhow::Result<Vec<Outcome>> {
    let Judges {
        project,
        guard,
        sound,
        progress,
    } = judges;
    let mut said: BTreeMap<String, Vec<Verdict>> = BTreeMap::new();
    let mut documents = BTreeMap::new();
    let mut outcomes = Vec::new();
    for fault in faults {
        let mut outcome = fault.outcome();
        match fault.made(project) {
            Ok(Made::Units(machine)) => drop(said.insert(fault.name(), machine::judge(&machine))),
            Ok(Made::Document(architecture)) => drop(documents.insert(fault.name(), architecture)),
            Err(error) => outcome.end = End::Stillborn(format!("{error:#}")),
        }
        outcomes.push(outcome);
    }
    said.extend(match judge {
        Judge::Guard(file, rule) => guard.judge_by(file, rule, &documents, sound)?,
        Judge::Simulator => policies::judge(&project.catalogue, &documents, *progress)?,
        Judge::Ourselves => {
            let each = documents.iter();
            each.map(|(name, architecture)| (name.clone(), reach::judge(architecture)))
                .collect()
        }
    });
    for outcome in &mut outcomes {
        let verdicts = said.get(&outcome.mutant).into_iter().flatten();
        let mut noticed =
            verdicts.filter(|verdict| verdict.rule == outcome.rule && !verdict.passed);
        if noticed.next().is_some() {
            outcome.end = End::Killed;
        }
    }
    Ok(outcomes)
}

/// A fault that was made.
enum Made {
    /// In a unit.
    Units(Machine),
    /// In a template.
    Document(Architecture),
}

impl Fault<'_> {
    fn name(&self) -> String {
        format!("{}-{}", self.control.id, self.number)
    }

    fn outcome(&self) -> Outcome {
        let Self {
            control, mutant, ..
        } = self;
        let is_there = mutant.property.is_none() && mutant.resource.is_none();
        let property = if is_there {
            format!("{} ", control.property)
        } else {
            String::new()
        };
        Outcome {
            mutant: self.name(),
            fault: format!("{} {property}{mutant}", control.resource),
            rule: control.rule.clone(),
            end: End::Survived,
        }
    }

    fn made(&self, project: &Project) -> anyhow::Result<Made> {
        let Self {
            control, mutant, ..
        } = self;
        let resource = mutant.resource.as_ref().unwrap_or(&control.resource);
        if resource.starts_with("machine/") {
            return Ok(Made::Units(project.machine.mutated(control, mutant)?));
        }
        self.architecture(project).map(Made::Document)
    }

    /// The faulty architecture, in production or, where the control does not hold there, elsewhere.
    fn architecture(&self, project: &Project) -> anyhow::Result<Architecture> {
        let templates = self.control.mutated(&project.templates, self.mutant)?;
        project.architecture_of(&templates, self.environment()?)
    }

    fn environment(&self) -> anyhow::Result<&'static str> {
        let mut environments = ENVIRONMENTS.into_iter().rev();
        let environment = environments.find(|name| self.control.holds_in(name));
        environment.context("the control holds nowhere")
    }
}
