//! Sets of patients within a search.

use crate::ids::Slot;
use crate::ids::number;

/// Maximum number of slots of a set that is stored as a sorted list.
const MAX_LISTED: usize = 4096;

/// A set of slots: a sorted list if they are few, otherwise a bitmap.
pub(super) enum SlotSet {
    Few(Vec<Slot>),
    Many(Bitmap),
}

pub(super) struct Bitmap {
    bits: Vec<u64>,
    len: usize,
}

impl SlotSet {
    /// The set of some slots below `slots`, at most `count` of them; any may occur repeatedly.
    pub(super) fn collect(count: usize, slots: usize, items: impl Iterator<Item = Slot>) -> Self {
        if count <= MAX_LISTED {
            let mut few: Vec<Slot> = items.collect();
            few.sort_unstable();
            few.dedup();
            return Self::Few(few);
        }
        let mut bits = vec![0; slots.div_ceil(64)];
        items.for_each(|slot| {
            if let Some(word) = bits.get_mut(slot.index() / 64) {
                *word |= 1 << (slot.0 % 64);
            }
        });
        Self::Many(Bitmap::new(bits))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(slots) => slots.len(),
            Self::Many(bitmap) => bitmap.len,
        }
    }

    pub(super) fn contains(&self, slot: Slot) -> bool {
        match self {
            Self::Few(slots) => slots.binary_search(&slot).is_ok(),
            Self::Many(bitmap) => {
                let word = bitmap.bits.get(slot.index() / 64);
                word.is_some_and(|word| word >> (slot.0 % 64) & 1 == 1)
            }
        }
    }

    /// The slots, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = Slot> {
        let (few, many) = match self {
            Self::Few(slots) => (slots.as_slice(), &[][..]),
            Self::Many(bitmap) => (&[][..], bitmap.bits.as_slice()),
        };
        let of_bits = many.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(Slot(64 * number(index) + bit))
            })
        });
        few.iter().copied().chain(of_bits)
    }

    /// The slots that pass a test.
    pub(super) fn retain(self, slots: usize, keep: impl Fn(Slot) -> bool) -> Self {
        let count = self.len();
        Self::collect(count, slots, self.iter().filter(|slot| keep(*slot)))
    }

    /// The slots that are in both sets.
    pub(super) fn intersect(self, other: &Self, slots: usize) -> Self {
        match (self, other) {
            (Self::Many(mut this), Self::Many(other)) => {
                let pairs = this.bits.iter_mut().zip(&other.bits);
                pairs.for_each(|(word, other)| *word &= other);
                Self::Many(Bitmap::new(this.bits))
            }
            (this, other) => this.retain(slots, |slot| other.contains(slot)),
        }
    }
}

impl Bitmap {
    fn new(bits: Vec<u64>) -> Self {
        let ones = bits.iter().map(|word| word.count_ones());
        let len = ones.map(crate::ids::index).sum();
        Self { bits, len }
    }
}
