//! Groups of entries, each sent as one transaction. The grouping depends only on the file, so that a later run makes
//! the same groups.

use std::path::PathBuf;
use std::sync::Arc;

use futures::Stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::index::Head;
use super::index::References;
use super::phase::ImportPhase;
use super::prepare::Prepared;
use super::prepare::prepare;
use super::source::each_item;

/// Upper bound of the entries in a group.
const ENTRIES: usize = 100;
/// Upper bound of a group in bytes: half of the largest request body that web accepts.
const BYTES: usize = 4 * 1024 * 1024;

/// A group of entries.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) number: u32,
    pub(super) entries: Vec<Prepared>,
}

/// Reads the groups of one phase on a thread of its own, which a bounded channel keeps from reading far ahead.
pub(super) fn read(
    path: PathBuf,
    phase: ImportPhase,
    names: Arc<References>,
) -> (impl Stream<Item = Chunk>, JoinHandle<anyhow::Result<()>>) {
    let (sender, receiver) = mpsc::channel(1);
    let reading = tokio::task::spawn_blocking(move || {
        let mut grouping = Grouping::default();
        each_item(&path, &mut |item| {
            let head = Head::of(&item);
            if let Some(kind) = head.kind().filter(|kind| kind.phase == phase)
                && let Some(chunk) = grouping.add(prepare(&item, &head, kind, &names))
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
