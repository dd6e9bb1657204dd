//! A batch in segments: what may be written together, as long as nothing in it is refused.

use std::collections::HashSet;

use super::BatchItem;
use super::ResourceWrite;
use super::sorted;
use crate::OperationOutcome;
use crate::Reference;
use crate::limits::MAX_SEGMENT_ENTRIES;

/// A part of a batch, in the order in which parts are done.
#[derive(Debug)]
pub enum Segment {
    /// Writes to different resources, in an order in which what is referred to comes first. Done
    /// together they are faster; if one is refused, each must be done alone.
    Writes(Vec<ResourceWrite>),
    /// The entry with this index reads.
    Read(usize, Reference),
    /// The entry with this index is refused already.
    Refused(usize, OperationOutcome),
}

/// Splits a batch into segments. A read sees every write of an earlier entry, and two writes of the same
/// resource keep their order.
#[must_use]
pub fn segments(steps: Vec<Result<BatchItem, OperationOutcome>>) -> Vec<Segment> {
    let mut done = Vec::new();
    let mut open = Vec::new();
    let mut targets = HashSet::new();
    for (entry, step) in steps.into_iter().enumerate() {
        match step {
            Err(outcome) => done.push(Segment::Refused(entry, outcome)),
            Ok(BatchItem::Read(target)) => {
                close(&mut done, &mut open, &mut targets);
                done.push(Segment::Read(entry, target));
            }
            Ok(BatchItem::Write(write)) => {
                let target = Reference {
                    resource_type: write.resource_type,
                    id: write.id,
                };
                if open.len() >= MAX_SEGMENT_ENTRIES || targets.contains(&target) {
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

fn close(done: &mut Vec<Segment>, open: &mut Vec<ResourceWrite>, targets: &mut HashSet<Reference>) {
    targets.clear();
    if !open.is_empty() {
        done.push(Segment::Writes(sorted(std::mem::take(open))));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::Issues;
    use crate::Resource;
    use crate::ResourceType;

    fn write(entry: usize, resource_type: ResourceType, id: u128) -> BatchItem {
        let mut json = json!({"resourceType": resource_type.name()});
        if resource_type == ResourceType::Observation {
            json["status"] = json!("final");
            json["code"] = json!({"text": "x"});
        }
        let resource = Resource::parse(json.to_string().as_bytes()).expect("sound");
        let id = Uuid::from_u128(id);
        BatchItem::Write(ResourceWrite {
            entry,
            resource_type,
            id,
            owner: None,
            resource,
            create: false,
        })
    }

    fn shape(steps: Vec<Result<BatchItem, OperationOutcome>>) -> Vec<Vec<usize>> {
        let entries = |run: Segment| match run {
            Segment::Writes(writes) => writes.iter().map(|write| write.entry).collect(),
            Segment::Read(entry, _) | Segment::Refused(entry, _) => vec![entry],
        };
        segments(steps).into_iter().map(entries).collect()
    }

    #[test]
    fn writes_run_together_with_patients_first() {
        let steps = vec![
            Ok(write(0, ResourceType::Observation, 1)),
            Err(OperationOutcome::bad_request(Issues::default())),
            Ok(write(2, ResourceType::Patient, 2)),
            Ok(write(3, ResourceType::Location, 3)),
        ];
        assert_eq!(shape(steps), [vec![1], vec![3, 2, 0]]);
    }

    #[test]
    fn a_read_and_a_second_write_of_the_same_wait_for_what_came_before() {
        let read = Ok(BatchItem::Read(Reference {
            resource_type: ResourceType::Patient,
            id: Uuid::from_u128(1),
        }));
        let steps = vec![
            Ok(write(0, ResourceType::Patient, 1)),
            read,
            Ok(write(2, ResourceType::Patient, 1)),
            Ok(write(3, ResourceType::Patient, 1)),
        ];
        assert_eq!(shape(steps), [[0], [1], [2], [3]]);
    }

    #[test]
    fn a_long_batch_is_several_runs() {
        let steps = (0..=MAX_SEGMENT_ENTRIES).map(|entry| {
            Ok(write(
                entry,
                ResourceType::Patient,
                u128::try_from(entry).expect("small"),
            ))
        });
        let lengths: Vec<_> = shape(steps.collect()).iter().map(Vec::len).collect();
        assert_eq!(lengths, [MAX_SEGMENT_ENTRIES, 1]);
    }
}
