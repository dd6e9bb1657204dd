//! Segments of a batch: consecutive writes that can share a database transaction.

use std::collections::HashSet;

use super::BatchItem;
use super::EntryNoOp;
use super::EntryRead;
use super::ResourceWrite;
use super::WriteContent;
use super::order::sorted;
use crate::OperationOutcome;
use crate::Reference;
use crate::limits::MAX_SEGMENT_ENTRIES;

/// A part of a batch. Segments are executed in order.
#[derive(Debug)]
pub enum Segment {
    /// Writes to distinct resources, either deletes or others, ordered so that a resource precedes those that refer to it.
    /// They are tried in one database transaction for speed; if one is refused, the others are retried.
    Writes(Vec<ResourceWrite>),
    /// A conditional write that has nothing to write.
    NoOp(EntryNoOp),
    /// A read.
    Read(EntryRead),
    /// An entry that parsing refused, with its index.
    Refused(usize, OperationOutcome),
}

/// Splits a batch into segments, so that a read sees all writes of earlier entries, two writes of one resource keep their
/// order, and a delete stays before or after the writes around it.
#[must_use]
pub fn segments(items: Vec<Result<BatchItem, OperationOutcome>>) -> Vec<Segment> {
    let mut done = Vec::new();
    let mut open = OpenSegment::default();
    for (entry, item) in items.into_iter().enumerate() {
        match item {
            Err(outcome) => done.push(Segment::Refused(entry, outcome)),
            // Its response has the current version, which an earlier write may change.
            Ok(BatchItem::NoOp(no_op)) => {
                open.close(&mut done);
                done.push(Segment::NoOp(no_op));
            }
            Ok(BatchItem::Read(read)) => {
                // The read must see all earlier writes.
                open.close(&mut done);
                done.push(Segment::Read(read));
            }
            Ok(BatchItem::Write(write)) => {
                if !open.takes(&write) {
                    open.close(&mut done);
                }
                open.push(write);
            }
        }
    }
    open.close(&mut done);
    done
}

/// The writes of a segment that may still grow.
#[derive(Default)]
struct OpenSegment {
    writes: Vec<ResourceWrite>,
    targets: HashSet<Reference>,
    /// Whether the writes are deletes.
    is_delete: bool,
}

impl OpenSegment {
    fn takes(&self, write: &ResourceWrite) -> bool {
        self.writes.is_empty()
            || (self.writes.len() < MAX_SEGMENT_ENTRIES
                && self.is_delete == is_delete(write)
                && !self.targets.contains(&write.target()))
    }

    fn push(&mut self, write: ResourceWrite) {
        self.is_delete = is_delete(&write);
        self.targets.insert(write.target());
        self.writes.push(write);
    }

    fn close(&mut self, done: &mut Vec<Segment>) {
        self.targets.clear();
        if !self.writes.is_empty() {
            done.push(Segment::Writes(sorted(std::mem::take(&mut self.writes))));
        }
    }
}

fn is_delete(write: &ResourceWrite) -> bool {
    match write.content {
        WriteContent::Delete => true,
        WriteContent::Whole { .. } | WriteContent::Patch(_) => false,
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
    use crate::bundle::ReadInteraction;
    use crate::bundle::ReadPrecondition;
    use crate::bundle::WriteMode;
    use crate::bundle::WritePrecondition;

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
            content: WriteContent::Whole {
                resource,
                owner: (resource_type == ResourceType::Observation).then_some(Uuid::from_u128(2)),
                mode: WriteMode::Update,
            },
            precondition: WritePrecondition::None,
            condition: None,
        })
    }

    fn shape(items: Vec<Result<BatchItem, OperationOutcome>>) -> Vec<Vec<usize>> {
        let entries = |segment: Segment| match segment {
            Segment::Writes(writes) => writes.iter().map(|write| write.entry).collect(),
            Segment::Read(read) => vec![read.entry],
            Segment::NoOp(no_op) => vec![no_op.entry],
            Segment::Refused(entry, _) => vec![entry],
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
        let read = Ok(BatchItem::Read(EntryRead {
            entry: 1,
            interaction: ReadInteraction::Read(Reference {
                resource_type: ResourceType::Patient,
                id: Uuid::from_u128(1),
            }),
            precondition: ReadPrecondition::default(),
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
    fn a_delete_keeps_its_place_among_the_other_writes() {
        let delete = |entry: usize, id: u128| {
            Ok(BatchItem::Write(ResourceWrite {
                entry,
                resource_type: ResourceType::Patient,
                id: Uuid::from_u128(id),
                content: WriteContent::Delete,
                precondition: WritePrecondition::None,
                condition: None,
            }))
        };
        let items = vec![
            Ok(write(0, ResourceType::Observation, 1)),
            delete(1, 2),
            delete(2, 3),
            Ok(write(3, ResourceType::Patient, 4)),
        ];
        assert_eq!(shape(items), [vec![0], vec![1, 2], vec![3]]);
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
