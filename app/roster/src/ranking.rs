//! A sort order of all patients, by which lists are paged.

use crate::ids::Slot;
use crate::ids::index;
use crate::ids::number;
use crate::list::ChunkedList;
use crate::list::Position;
use crate::paged::Paged;

/// The beginning of a page of a ranking.
#[derive(Clone, Copy)]
pub(crate) enum ListStart {
    /// After this number of matches.
    Skip(usize),
    /// After this position of the list; before it in descending order.
    At(Position),
}

/// The patients in one sort order, with the chunk of each, so that matches are counted by chunk and
/// any page of them is found without sorting.
pub(crate) struct Ranking {
    list: ChunkedList<Slot>,
    /// Permanent number of each chunk, in order.
    chunk_numbers: Vec<u32>,
    /// Position of each chunk by its number.
    chunk_positions: Vec<u32>,
    /// Number of the chunk that contains a patient, by slot.
    chunk_of: Paged<u32>,
    free_numbers: Vec<u32>,
}

impl Ranking {
    pub(crate) fn new() -> Self {
        Self::from_sorted(&[])
    }

    /// The ranking of these patients, which are sorted.
    pub(crate) fn from_sorted(slots: &[Slot]) -> Self {
        let list = ChunkedList::from_sorted(slots);
        let numbers: Vec<u32> = (0..number(list.chunks().len())).collect();
        let mut chunk_of = Paged::new();
        for (chunk, slots) in numbers.iter().zip(list.chunks()) {
            for slot in slots {
                chunk_of.set(slot.index(), *chunk);
            }
        }
        Self {
            list,
            chunk_numbers: numbers.clone(),
            chunk_positions: numbers,
            chunk_of,
            free_numbers: Vec::new(),
        }
    }

    pub(crate) fn list(&self) -> &ChunkedList<Slot> {
        &self.list
    }

    /// Inserts a patient after those that are `before` it.
    pub(crate) fn insert(&mut self, slot: Slot, before: impl Fn(Slot) -> bool) {
        let at = self.list.partition_point(before);
        let insertion = self.list.insert(at, slot);
        if let Some(chunk) = insertion.new_chunk {
            self.add_chunk(chunk);
        }
        let chunk = self.chunk_numbers.get(insertion.chunk);
        self.chunk_of
            .set(slot.index(), chunk.copied().unwrap_or_default());
    }

    /// Removes a patient.
    pub(crate) fn remove(&mut self, slot: Slot) {
        let Some(at) = self.position(slot) else {
            return;
        };
        if self.list.remove(at) {
            let chunk = at.chunk;
            self.free_numbers.push(self.chunk_numbers.remove(chunk));
            self.renumber(chunk);
        }
    }

    /// Number of patients of each chunk, in order.
    pub(crate) fn chunk_lens(&self) -> Vec<usize> {
        self.list.chunks().iter().map(Vec::len).collect()
    }

    /// The number of the given patients in each chunk, in order.
    pub(crate) fn count_by_chunk(&self, slots: impl Iterator<Item = Slot>) -> Vec<usize> {
        // Counted by the number of the chunk, which is stored for each patient, then put in order.
        let mut by_number = vec![0; self.chunk_positions.len()];
        // `for_each` is faster than a loop for chained iterators.
        slots.for_each(|slot| {
            let number = self.chunk_of.get(slot.index()).copied();
            if let Some(count) = number.and_then(|number| by_number.get_mut(index(number))) {
                *count += 1;
            }
        });
        let numbers = self.chunk_numbers.iter();
        let counts = numbers.map(|number| by_number.get(index(*number)).copied());
        counts.map(Option::unwrap_or_default).collect()
    }

    /// A page of the matching patients, given their number in each chunk.
    pub(crate) fn page(
        &self,
        descending: bool,
        (start, take): (ListStart, usize),
        matches_by_chunk: &[usize],
        matches: impl Fn(Slot) -> bool,
    ) -> Vec<Slot> {
        let mut page = Vec::new();
        let chunks = self.list.chunks();
        let (mut to_skip, at) = match start {
            ListStart::Skip(skip) => (skip, None),
            ListStart::At(at) => (0, Some(at)),
        };
        let first = match (at, descending) {
            (None, _) => 0,
            (Some(at), false) => at.chunk,
            (Some(at), true) => chunks.len().saturating_sub(at.chunk + 1),
        };
        for nth in first..chunks.len() {
            let chunk = if descending {
                chunks.len() - 1 - nth
            } else {
                nth
            };
            let count = matches_by_chunk.get(chunk).copied().unwrap_or_default();
            if to_skip >= count {
                to_skip -= count;
                continue;
            }
            let items = chunks.get(chunk).map_or(&[][..], Vec::as_slice);
            let items = match at.filter(|at| at.chunk == chunk) {
                None => items,
                Some(at) if descending => items.get(..at.offset).unwrap_or(items),
                Some(at) => items.get(at.offset..).unwrap_or_default(),
            };
            let wanted = |slot: &Slot| matches(*slot);
            let room = take - page.len();
            let items = items.iter().copied();
            if descending {
                page.extend(items.rev().filter(wanted).skip(to_skip).take(room));
            } else {
                page.extend(items.filter(wanted).skip(to_skip).take(room));
            }
            to_skip = 0;
            if page.len() >= take {
                break;
            }
        }
        page
    }

    /// A page of the given patients. For few of them this is faster than counting by chunk.
    pub(crate) fn page_of_few(
        &self,
        descending: bool,
        (start, take): (ListStart, usize),
        slots: impl Iterator<Item = Slot>,
    ) -> Vec<Slot> {
        let found = slots.filter_map(|slot| Some((self.position(slot)?, slot)));
        let mut found: Vec<_> = found
            .filter(|(position, _)| match start {
                ListStart::Skip(_) => true,
                ListStart::At(at) => (*position < at) == descending,
            })
            .collect();
        found.sort_unstable();
        if descending {
            found.reverse();
        }
        let skip = match start {
            ListStart::Skip(skip) => skip,
            ListStart::At(_) => 0,
        };
        let page = found.into_iter().skip(skip).take(take);
        page.map(|(_, slot)| slot).collect()
    }

    /// Memory of the ranking, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let chunk_numbers = self.chunk_numbers.capacity() + self.chunk_positions.capacity();
        self.list.bytes() + self.chunk_of.bytes() + chunk_numbers * size_of::<u32>()
    }

    fn position(&self, slot: Slot) -> Option<Position> {
        let chunk = self.chunk_position(slot)?;
        let mut items = self.list.chunks().get(chunk)?.iter();
        let offset = items.position(|item| *item == slot)?;
        Some(Position { chunk, offset })
    }

    fn chunk_position(&self, slot: Slot) -> Option<usize> {
        let number = self.chunk_of.get(slot.index())?;
        self.chunk_positions
            .get(index(*number))
            .map(|position| index(*position))
    }

    fn add_chunk(&mut self, position: usize) {
        let unused = || number(self.chunk_positions.len());
        let new = self.free_numbers.pop().unwrap_or_else(unused);
        self.chunk_numbers.insert(position, new);
        self.renumber(position);
        let moved = self
            .list
            .chunks()
            .get(position)
            .map_or(&[][..], Vec::as_slice);
        for slot in moved {
            self.chunk_of.set(slot.index(), new);
        }
    }

    /// Updates the positions of the chunks from `from` on.
    fn renumber(&mut self, from: usize) {
        for (position, chunk) in self.chunk_numbers.iter().enumerate().skip(from) {
            let chunk = index(*chunk);
            if self.chunk_positions.len() <= chunk {
                self.chunk_positions.resize(chunk + 1, 0);
            }
            if let Some(entry) = self.chunk_positions.get_mut(chunk) {
                *entry = number(position);
            }
        }
    }
}
