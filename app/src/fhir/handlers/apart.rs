//! A batch: every entry stands alone.

use std::collections::{BTreeMap, VecDeque};

use super::Failure;
use super::rights::Rights;
use super::together::{Origin, blame, change, written};
use crate::caller::Caller;
use crate::edge;
use crate::fhir::bundle::{Answer, Run, Step, Write, entry_place, runs};
use crate::fhir::{Kind, Outcome, Target};
use crate::problem::Problem;
use crate::records::{ApplyError, Change};
use crate::state::App;

/// A batch that is being carried out.
pub(super) struct Apart<'a> {
    app: &'a App,
    caller: &'a Caller,
    rights: Rights<'a>,
    answers: BTreeMap<usize, Answer>,
    /// What the server needs is away: what was not done yet is not tried any more.
    away: Option<Problem>,
}

/// Writes that are tried together.
#[derive(Default)]
struct Group {
    origins: Vec<Origin>,
    changes: Vec<Change>,
}

impl<'a> Apart<'a> {
    /// Nothing is done yet.
    pub(super) fn of(app: &'a App, caller: &'a Caller) -> Self {
        let rights = Rights::of(app, caller);
        Self {
            app,
            caller,
            rights,
            answers: BTreeMap::new(),
            away: None,
        }
    }

    /// Does what can be done; the answers are in the Bundle's order.
    ///
    /// # Errors
    ///
    /// What the server needs is away, and nothing was done.
    pub(super) async fn carry_out(
        mut self,
        steps: Vec<Result<Step, Outcome>>,
    ) -> Result<Vec<Answer>, Failure> {
        for run in runs(steps) {
            match run {
                Run::Refused(entry, outcome) => self.refuse(entry, outcome),
                Run::Read(entry, target) => self.read(entry, target).await,
                Run::Writes(writes) => self.write(writes).await,
            }
        }
        let refused = |answer: &Answer| matches!(answer, Answer::Refused(_));
        match self.away {
            Some(problem) if self.answers.values().all(refused) => Err(Failure::Failed(problem)),
            _ => Ok(self.answers.into_values().collect()),
        }
    }

    async fn read(&mut self, entry: usize, target: Target) {
        let answer = match self.away {
            Some(problem) => Err(problem),
            None => self.disclosed(target).await,
        };
        match answer {
            Ok(answer) => {
                self.answers.insert(entry, answer);
            }
            Err(problem) => self.fail(entry, problem),
        }
    }

    async fn disclosed(&mut self, target: Target) -> Result<Answer, Problem> {
        let permitted = self.rights.read(target.kind).await?;
        let stored = self
            .app
            .records
            .read(self.caller, &permitted, target.id)
            .await?
            .into_inner();
        Ok(Answer::Read {
            resource: stored.resource,
            stamp: stored.stamp,
        })
    }

    async fn write(&mut self, writes: Vec<Write>) {
        let mut group = Group::default();
        for write in writes {
            match self.rights.write(write.kind).await {
                Ok(permitted) => group.push(change(write, permitted)),
                Err(problem) => self.fail(write.entry, problem),
            }
        }
        let mut groups = VecDeque::from([group]);
        while let Some(mut group) = groups.pop_front() {
            if let Some(problem) = self.away {
                self.fail_all(&group, problem);
            } else if !group.changes.is_empty() {
                match self.app.records.apply(self.caller, &group.changes).await {
                    Ok(applied) => {
                        let answers = group.origins.iter().zip(applied);
                        let answers = answers.map(|(it, done)| (it.entry, written(*it, done)));
                        self.answers.extend(answers);
                    }
                    Err(error) => match blame(error, &group.origins) {
                        Ok((index, outcome)) => {
                            self.refuse_like(&mut group, index, error, &outcome);
                            groups.push_front(group);
                        }
                        Err(problem) if group.changes.len() == 1 || is_away(problem) => {
                            self.fail_all(&group, problem);
                        }
                        // Something is wrong with one of them, and nobody says with which.
                        Err(_) => groups.extend(group.singles()),
                    },
                }
            }
        }
    }

    /// Refuses the change at an index and, if its patient is not there, all others of that patient:
    /// each would be refused for the same reason.
    fn refuse_like(&mut self, group: &mut Group, index: usize, error: ApplyError, why: &Outcome) {
        let orphaned = match error {
            ApplyError::UnknownOwner(_) => group.changes.get(index).and_then(|it| it.owner),
            ApplyError::OwnerChanged(_)
            | ApplyError::AlreadyThere(_)
            | ApplyError::RecordNumberTaken(_)
            | ApplyError::Problem(_) => None,
        };
        let all = std::mem::take(group);
        for (at, (origin, change)) in all.origins.into_iter().zip(all.changes).enumerate() {
            let alike = orphaned.is_some() && change.owner == orphaned && !is_patient(&change);
            if at == index {
                self.refuse(origin.entry, why.clone());
            } else if alike {
                let told = blame(ApplyError::UnknownOwner(0), &[origin]);
                self.refuse(
                    origin.entry,
                    told.map_or_else(|_| why.clone(), |(_, told)| told),
                );
            } else {
                group.push((origin, change));
            }
        }
    }

    fn refuse(&mut self, entry: usize, outcome: Outcome) {
        self.answers.insert(entry, Answer::Refused(outcome));
    }

    fn fail(&mut self, entry: usize, problem: Problem) {
        if is_away(problem) {
            self.away = Some(problem);
        }
        let outcome = edge::outcome(problem, self.caller.origin.request).at(&entry_place(entry));
        self.refuse(entry, outcome);
    }

    fn fail_all(&mut self, group: &Group, problem: Problem) {
        for origin in &group.origins {
            self.fail(origin.entry, problem);
        }
    }
}

impl Group {
    fn push(&mut self, (origin, change): (Origin, Change)) {
        self.origins.push(origin);
        self.changes.push(change);
    }

    /// Each change alone, in the same order.
    fn singles(self) -> impl Iterator<Item = Self> {
        let pairs = self.origins.into_iter().zip(self.changes);
        pairs.map(|(origin, change)| Self {
            origins: vec![origin],
            changes: vec![change],
        })
    }
}

fn is_away(problem: Problem) -> bool {
    matches!(problem, Problem::Unavailable(_))
}

fn is_patient(change: &Change) -> bool {
    change.kind() == Kind::Patient
}
