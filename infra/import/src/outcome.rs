//! The results of one group of entries.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::chunk::Chunk;
use super::prepare::Prepared;
use super::source::EntryPosition;

/// An entry that was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The file; the report of each file names it.
    pub file: Option<Arc<Path>>,
    /// Its position in the file.
    pub place: EntryPosition,
    /// Its type.
    pub kind: &'static str,
    /// The HTTP status; `None` for what a dry run found.
    pub status: Option<u16>,
    /// The issues of the `OperationOutcome`.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(file) = &self.file {
            write!(f, "in {}, ", file.display())?;
        }
        write!(f, "{}: ", self.place)?;
        if let Some(status) = self.status {
            write!(f, "{status}, ")?;
        }
        f.write_str(&self.reason)
    }
}

/// The results of a group.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) chunk: u32,
    pub(super) entries: u64,
    pub(super) accepted: BTreeMap<&'static str, u64>,
    /// What earlier runs sent.
    pub(super) already: BTreeMap<&'static str, u64>,
    pub(super) refusals: Vec<Refusal>,
}

impl Outcome {
    /// The results of a group of which earlier runs sent these entries.
    pub(super) fn of(chunk: &Chunk, already: &[Prepared]) -> Self {
        let mut outcome = Self {
            chunk: chunk.number,
            entries: u64::try_from(chunk.entries.len() + already.len()).unwrap_or(u64::MAX),
            accepted: BTreeMap::new(),
            already: BTreeMap::new(),
            refusals: Vec::new(),
        };
        for entry in already {
            *outcome.already.entry(entry.kind).or_default() += 1;
        }
        outcome
    }

    pub(super) fn accept(&mut self, entry: &Prepared) {
        *self.accepted.entry(entry.kind).or_default() += 1;
    }

    pub(super) fn refuse(&mut self, entry: &Prepared, status: u16, reason: String) {
        self.refusals.push(Refusal {
            file: None,
            place: entry.place,
            kind: entry.kind,
            status: Some(status),
            reason,
        });
    }
}
