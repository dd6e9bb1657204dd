//! A sorted list that is stored in chunks.

/// Maximum number of items in a chunk, and so of items that an insertion moves.
const MAX_CHUNK: usize = 1024;
/// Number of items in each chunk of a list that is built at once. It leaves room for insertions.
const BUILT_CHUNK: usize = 768;

/// A sorted list: a sequence of chunks, each with at most [`MAX_CHUNK`] items and none empty.
///
/// The caller defines the order and finds positions with a predicate, as in
/// `slice::partition_point`. An insertion or removal moves the items of one chunk and, seldom, the
/// headers of all (24 bytes for each 512 items or more).
pub(crate) struct ChunkedList<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
    /// Sum of the chunks' capacities.
    capacity: usize,
}

/// A position between two items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) chunk: usize,
    pub(crate) offset: usize,
}

/// The result of an insertion.
pub(crate) struct Insertion {
    /// The chunk that contains the item.
    pub(crate) chunk: usize,
    /// The chunk that the insertion made, if any: the first, or the upper half of a full one.
    pub(crate) new_chunk: Option<usize>,
}

impl<T: Copy> ChunkedList<T> {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
            capacity: 0,
        }
    }

    /// The list of these items, which are sorted.
    pub(crate) fn from_sorted(items: &[T]) -> Self {
        let chunks: Vec<_> = items.chunks(BUILT_CHUNK).map(<[T]>::to_vec).collect();
        Self {
            len: items.len(),
            capacity: chunks.iter().map(Vec::capacity).sum(),
            chunks,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn chunks(&self) -> &[Vec<T>] {
        &self.chunks
    }

    /// Position of the first item that is not `before`.
    pub(crate) fn partition_point(&self, before: impl Fn(T) -> bool) -> Position {
        let is_before = |chunk: &Vec<T>| chunk.last().is_some_and(|item| before(*item));
        let chunk = self.chunks.partition_point(is_before);
        let items = self.chunks.get(chunk).map_or(&[][..], Vec::as_slice);
        let offset = items.partition_point(|item| before(*item));
        Position { chunk, offset }
    }

    /// The item after a position.
    pub(crate) fn get(&self, at: Position) -> Option<T> {
        self.chunks.get(at.chunk)?.get(at.offset).copied()
    }

    /// Number of items between two positions.
    pub(crate) fn count(&self, from: Position, to: Position) -> usize {
        let between = self.chunks.get(from.chunk..to.chunk).unwrap_or_default();
        let items: usize = between.iter().map(Vec::len).sum();
        (items + to.offset).saturating_sub(from.offset)
    }

    /// The items between two positions.
    pub(crate) fn range(&self, from: Position, to: Position) -> impl Iterator<Item = T> {
        let chunks = self.chunks.iter().enumerate().skip(from.chunk);
        chunks
            .take((to.chunk + 1).saturating_sub(from.chunk))
            .flat_map(move |(number, chunk)| {
                let start = if number == from.chunk { from.offset } else { 0 };
                let end = if number == to.chunk {
                    to.offset
                } else {
                    chunk.len()
                };
                chunk.get(start..end).unwrap_or_default().iter().copied()
            })
    }

    /// Inserts an item at a position.
    pub(crate) fn insert(&mut self, at: Position, item: T) -> Insertion {
        let mut new_chunk = None;
        let mut at = at;
        if self.chunks.is_empty() {
            self.chunks.push(Vec::new());
            new_chunk = Some(0);
        }
        if let Some(last) = self.chunks.len().checked_sub(1)
            && at.chunk > last
        {
            at.chunk = last;
            at.offset = self.chunks.get(last).map_or(0, Vec::len);
        }
        if self
            .chunks
            .get(at.chunk)
            .is_some_and(|chunk| chunk.len() >= MAX_CHUNK)
        {
            new_chunk = Some(at.chunk + 1);
            at = self.split(at);
        }
        if let Some(chunk) = self.chunks.get_mut(at.chunk) {
            let before = chunk.capacity();
            if chunk.len() == before {
                let target = (2 * before).clamp(4, MAX_CHUNK);
                chunk.reserve_exact(target.saturating_sub(before).max(1));
            }
            chunk.insert(at.offset.min(chunk.len()), item);
            self.capacity += chunk.capacity() - before;
            self.len += 1;
        }
        Insertion {
            chunk: at.chunk,
            new_chunk,
        }
    }

    /// Removes the item after a position. Returns whether this removed its chunk too.
    pub(crate) fn remove(&mut self, at: Position) -> bool {
        let Some(chunk) = self.chunks.get_mut(at.chunk) else {
            return false;
        };
        if at.offset >= chunk.len() {
            return false;
        }
        let before = chunk.capacity();
        chunk.remove(at.offset);
        self.len -= 1;
        if chunk.is_empty() {
            self.capacity -= before;
            self.chunks.remove(at.chunk);
            return true;
        }
        if chunk.len() * 4 < before {
            chunk.shrink_to(2 * chunk.len());
            self.capacity -= before - chunk.capacity();
        }
        false
    }

    /// Memory of the list, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.capacity * size_of::<T>() + self.chunks.capacity() * size_of::<Vec<T>>()
    }

    /// Moves the upper half of a chunk to a new one; returns the new position of `at`.
    fn split(&mut self, at: Position) -> Position {
        let half = MAX_CHUNK / 2;
        if let Some(chunk) = self.chunks.get_mut(at.chunk) {
            let before = chunk.capacity();
            let upper = chunk.split_off(half);
            self.capacity += upper.capacity() + chunk.capacity() - before;
            self.chunks.insert(at.chunk + 1, upper);
        }
        match at.offset.checked_sub(half) {
            Some(offset) if offset > 0 => Position {
                chunk: at.chunk + 1,
                offset,
            },
            _ => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_list_is_a_sorted_vector(
            built in 0_usize..3_000,
            changes in prop::collection::vec((0_u32..4_000, prop::bool::weighted(0.7)), 0..3_000),
        ) {
            let mut model: Vec<u32> = (0..built).map(crate::ids::number).collect();
            let mut list = ChunkedList::from_sorted(&model);
            for (item, is_insertion) in changes {
                let at = list.partition_point(|other| other < item);
                let index = model.partition_point(|other| *other < item);
                if is_insertion {
                    list.insert(at, item);
                    model.insert(index, item);
                } else if list.get(at) == Some(item) {
                    list.remove(at);
                    model.remove(index);
                }
            }
            let (from, to) = (list.partition_point(|i| i < 1_000), list.partition_point(|i| i < 2_000));
            let range: Vec<_> = list.range(from, to).collect();
            prop_assert_eq!(list.count(from, to), range.len());
            prop_assert_eq!(list.len(), model.len());
            let capacity: usize = list.chunks.iter().map(Vec::capacity).sum();
            prop_assert_eq!(list.capacity, capacity);
            let items: Vec<u32> = list.chunks.concat();
            prop_assert_eq!(items, model);
        }
    }
}
