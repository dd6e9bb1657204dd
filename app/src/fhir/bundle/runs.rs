//! A batch in runs: what may be written together, as long as nothing in it is refused.

use std::collections::HashSet;

use super::{Step, Write, sorted};
use crate::fhir::{Outcome, Target};

/// A run has this many writes at most: one transaction of the database.
const MAX_RUN: usize = 200;

/// A part of a batch, in the order in which parts are done.
#[derive(Debug)]
pub(crate) enum Run {
    /// Writes to different resources, in an order in which what is referred to comes first. Done
    /// together they are faster; if one is refused, each must be done alone.
    Writes(Vec<Write>),
    /// The entry with this index reads.
    Read(usize, Target),
    /// The entry with this index is refused already.
    Refused(usize, Outcome),
}

/// Splits a batch into runs. A read sees every write of an earlier entry, and two writes of the same
/// resource keep their order.
pub(crate) fn runs(steps: Vec<Result<Step, Outcome>>) -> Vec<Run> {
    let mut done = Vec::new();
    let mut open = Vec::new();
    let mut targets = HashSet::new();
    for (entry, step) in steps.into_iter().enumerate() {
        match step {
            Err(outcome) => done.push(Run::Refused(entry, outcome)),
            Ok(Step::Read(target)) => {
                close(&mut done, &mut open, &mut targets);
                done.push(Run::Read(entry, target));
            }
            Ok(Step::Write(write)) => {
                let target = Target {
                    kind: write.kind,
                    id: write.id,
                };
                if open.len() >= MAX_RUN || targets.contains(&target) {
                    close(&mut done, &mut open, &mut targets);
                }
                targets.insert(target);
                open.push(write);
            }
        }
    }
    close(&mut done, &mut open, &mut targets);
    done
}

fn close(done: &mut Vec<Run>, open: &mut Vec<Write>, targets: &mut HashSet<Target>) {
    targets.clear();
    if !open.is_empty() {
        done.push(Run::Writes(sorted(std::mem::take(open))));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::fhir::{Kind, Resource};

    fn write(entry: usize, kind: Kind, id: u128) -> Step {
        let mut json = json!({"resourceType": kind.name()});
        if kind == Kind::Observation {
            json["status"] = json!("final");
            json["code"] = json!({"text": "x"});
        }
        let resource = Resource::parse(json.to_string().as_bytes()).expect("sound");
        let id = Uuid::from_u128(id);
        Step::Write(Write {
            entry,
            kind,
            id,
            owner: None,
            resource,
            create: false,
        })
    }

    fn shape(steps: Vec<Result<Step, Outcome>>) -> Vec<Vec<usize>> {
        let entries = |run: Run| match run {
            Run::Writes(writes) => writes.iter().map(|write| write.entry).collect(),
            Run::Read(entry, _) | Run::Refused(entry, _) => vec![entry],
        };
        runs(steps).into_iter().map(entries).collect()
    }

    #[test]
    fn writes_run_together_with_patients_first() {
        let steps = vec![
            Ok(write(0, Kind::Observation, 1)),
            Err(Outcome::bad_request(Vec::new())),
            Ok(write(2, Kind::Patient, 2)),
            Ok(write(3, Kind::Location, 3)),
        ];
        assert_eq!(shape(steps), [vec![1], vec![3, 2, 0]]);
    }

    #[test]
    fn a_read_and_a_second_write_of_the_same_wait_for_what_came_before() {
        let read = Ok(Step::Read(Target {
            kind: Kind::Patient,
            id: Uuid::from_u128(1),
        }));
        let steps = vec![
            Ok(write(0, Kind::Patient, 1)),
            read,
            Ok(write(2, Kind::Patient, 1)),
            Ok(write(3, Kind::Patient, 1)),
        ];
        assert_eq!(shape(steps), [[0], [1], [2], [3]]);
    }

    #[test]
    fn a_long_batch_is_several_runs() {
        let steps = (0..=MAX_RUN).map(|entry| {
            Ok(write(
                entry,
                Kind::Patient,
                u128::try_from(entry).expect("small"),
            ))
        });
        let lengths: Vec<_> = shape(steps.collect()).iter().map(Vec::len).collect();
        assert_eq!(lengths, [MAX_RUN, 1]);
    }
}
