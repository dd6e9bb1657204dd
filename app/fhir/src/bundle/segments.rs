//! Segments of a batch: consecutive writes that can share a database transaction.

use std::collections::HashSet;

use super::BatchItem;
use super::ResourceWrite;
use super::sorted;
use crate::OperationOutcome;
use crate::Reference;
use crate::limits::MAX_SEGMENT_ENTRIES;

/// A part of a batch. Segments are executed in order.
#[derive(Debug)]
pub enum Segment {
    /// Writes to distinct resources, ordered so that a resource precedes those that refer to it. They
    /// are tried in one database transaction for speed; if one is refused, the others are retried.
    Writes(Vec<ResourceWrite>),
    /// A read, with the index of its entry.
    Read(usize, Reference),
    /// An entry that parsing refused, with its index.
    Refused(usize, OperationOutcome),
}

/// Splits a batch into segments, so that a read sees all writes of earlier entries, and two writes of
/// one resource keep their order.
#[must_use]
pub fn segments(items: Vec<Result<BatchItem, OperationOutcome>>) -> Vec<Segment> {
    let mut done = Vec::new();
    let mut open = Vec::new();
    let mut targets = HashSet::new();
    for (entry, item) in items.into_iter().enumerate() {
        match item {
            Err(outcome) => done.push(Segment::Refused(entry, outcome)),
            Ok(BatchItem::Read(target)) => {
                // The read must see all earlier writes.
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
        let resource = Resource::parse(json.to_string().as_bytes()).expect("valid");
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

    fn shape(items: Vec<Result<BatchItem, OperationOutcome>>) -> Vec<Vec<usize>> {
        let entries = |segment: Segment| match segment {
            Segment::Writes(writes) => writes.iter().map(|write| write.entry).collect(),
            Segment::Read(entry, _) | Segment::Refused(entry, _) => vec![entry],
        };
        segments(items).into_iter().map(entries).collect()
    }

    #[test]
    fn consecutive_writes_form_one_segment_with_patients_first() {
        let items = vec![
            Ok(write(0, ResourceType::Observation, 1)),
            Err(OperationOutcome::bad_request(Issues::default())),
            Ok(write(2, ResourceType::Patient, 2)),
            Ok(write(3, ResourceType::Location, 3)),
        ];
        assert_eq!(shape(items), [vec![1], vec![3, 2, 0]]);
    }

    #[test]
    fn a_read_and_a_second_write_of_one_resource_begin_a_new_segment() {
        let read = Ok(BatchItem::Read(Reference {
            resource_type: ResourceType::Patient,
            id: Uuid::from_u128(1),
        }));
        let items = vec![
            Ok(write(0, ResourceType::Patient, 1)),
            read,
            Ok(write(2, ResourceType::Patient, 1)),
            Ok(write(3, ResourceType::Patient, 1)),
        ];
        assert_eq!(shape(items), [[0], [1], [2], [3]]);
    }

    #[test]
    fn a_long_batch_has_several_segments() {
        let items = (0..=MAX_SEGMENT_ENTRIES).map(|entry| {
            Ok(write(
                entry,
                ResourceType::Patient,
                u128::try_from(entry).expect("small"),
            ))
        });
        let lengths: Vec<_> = shape(items.collect()).iter().map(Vec::len).collect();
        assert_eq!(lengths, [MAX_SEGMENT_ENTRIES, 1]);
    }
}
