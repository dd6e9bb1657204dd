//! Groups of entries, each sent as one transaction. The grouping depends only on the file, so that a later run makes
//! the same groups.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use futures::Stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::head::Head;
use super::identifier::IdentifierElements;
use super::mapping::IdMapping;
use super::names::Names;
use super::phase::ImportPhase;
use super::phase::table_hash;
use super::prepare::Preparation;
use super::prepare::Prepared;
use super::source::each_item;

/// Upper bound of the entries in a group.
const ENTRIES: usize = 100;
/// Upper bound of a group in bytes: half of the largest request body that web accepts.
const BYTES: usize = 4 * 1024 * 1024;

/// The grouping of a file and the ids in it: another plan makes other groups or other requests.
pub(super) fn plan(mapping: Option<&IdMapping>) -> String {
    let ids = match mapping.map(IdMapping::source) {
        None => "ids as they are".to_owned(),
        Some(source) => format!(
            "ids mapped, of {}",
            source.unwrap_or("the sources in the file")
        ),
    };
    format!("{ENTRIES} entries, {BYTES} bytes, {}, {ids}", table_hash())
}

/// A group of entries.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) number: u32,
    pub(super) entries: Vec<Prepared>,
}

impl Chunk {
    /// Takes out the entries that are not among these, by their numbers in the file.
    pub(super) fn take_all_but(&mut self, wanted: &BTreeSet<u64>) -> Vec<Prepared> {
        let entries = std::mem::take(&mut self.entries);
        let (kept, taken) = entries
            .into_iter()
            .partition(|entry| wanted.contains(&entry.place.entry));
        self.entries = kept;
        taken
    }
}

/// Reads the groups of one phase on a thread of its own, which a bounded channel keeps from reading far ahead.
pub(super) fn read(
    path: PathBuf,
    phase: ImportPhase,
    names: Arc<Names>,
    identifiers: Arc<IdentifierElements>,
) -> (impl Stream<Item = Chunk>, JoinHandle<anyhow::Result<()>>) {
    let (sender, receiver) = mpsc::channel(1);
    let reading = tokio::task::spawn_blocking(move || {
        let mut grouping = Grouping::default();
        let preparation = Preparation {
            names: &names,
            identifiers: &identifiers,
        };
        each_item(&path, &mut |item| {
            let head = Head::of(&item);
            let kind = names.kind(&item, &head);
            if let Some(kind) = kind.filter(|kind| kind.phase == phase)
                && let Some(chunk) = grouping.add(preparation.prepare(&item, &head, kind))
            {
                // The receiver was dropped: the error that ended it is the one to report.
                sender
                    .blocking_send(chunk)
                    .map_err(|_stopped| anyhow::anyhow!("stopped"))?;
            }
            Ok(())
        })?;
        if let Some(chunk) = grouping.close() {
            sender
                .blocking_send(chunk)
                .map_err(|_stopped| anyhow::anyhow!("stopped"))?;
        }
        Ok(())
    });
    let chunks = futures::stream::unfold(receiver, |mut receiver| async {
        let chunk = receiver.recv().await?;
        Some((chunk, receiver))
    });
    (chunks, reading)
}

#[derive(Default)]
struct Grouping {
    number: u32,
    bytes: usize,
    entries: Vec<Prepared>,
}

impl Grouping {
    /// Adds an entry; returns the group before it when that one is full.
    fn add(&mut self, entry: Prepared) -> Option<Chunk> {
        let full = self.entries.len() >= ENTRIES || self.bytes + entry.json.len() > BYTES;
        let closed = if full { self.close() } else { None };
        self.bytes += entry.json.len();
        self.entries.push(entry);
        closed
    }

    fn close(&mut self) -> Option<Chunk> {
        if self.entries.is_empty() {
            return None;
        }
        let chunk = Chunk {
            number: self.number,
            entries: std::mem::take(&mut self.entries),
        };
        self.number += 1;
        self.bytes = 0;
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::EntryPosition;

    fn entry(size: usize) -> Prepared {
        Prepared {
            place: EntryPosition { entry: 0, byte: 0 },
            kind: "Patient",
            json: "x".repeat(size),
        }
    }

    #[test]
    fn a_group_closes_at_its_limits_and_nothing_is_lost() {
        let mut grouping = Grouping::default();
        let mut sizes = Vec::new();
        for size in std::iter::repeat_n(10, 150).chain([BYTES, BYTES + 1, 5]) {
            sizes.extend(grouping.add(entry(size)).map(|chunk| chunk.entries.len()));
        }
        sizes.extend(grouping.close().map(|chunk| chunk.entries.len()));
        assert_eq!(sizes, [100, 50, 1, 1, 1]);
    }
}
