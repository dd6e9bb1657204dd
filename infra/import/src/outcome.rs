//! The results of one group of entries.

use std::collections::BTreeMap;

use super::chunk::Chunk;
use super::prepare::Prepared;
use super::source::EntryPosition;

/// An entry that the server refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Its position in the file.
    pub place: EntryPosition,
    /// Its type.
    pub kind: &'static str,
    /// The issues of the server's `OperationOutcome`.
    pub reason: String,
}

/// The results of a group.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) chunk: u32,
    pub(super) entries: u64,
    pub(super) accepted: BTreeMap<&'static str, u64>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) already: bool,
}

impl Outcome {
    /// The results of a group that an earlier run sent.
    pub(super) fn already(chunk: &Chunk) -> Self {
        let mut outcome = Self::none(chunk);
        outcome.already = true;
        outcome.accept(&chunk.entries);
        outcome
    }

    pub(super) fn none(chunk: &Chunk) -> Self {
        Self {
            chunk: chunk.number,
            entries: u64::try_from(chunk.entries.len()).unwrap_or(u64::MAX),
            accepted: BTreeMap::new(),
            refusals: Vec::new(),
            already: false,
        }
    }

    pub(super) fn accept(&mut self, entries: &[Prepared]) {
        for entry in entries {
            *self.accepted.entry(entry.kind).or_default() += 1;
        }
    }
}
