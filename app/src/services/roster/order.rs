//! The orders in which a list of patients can be asked for.

use std::sync::Arc;

use super::entry::Entry;

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SortKey {
    /// Family name, then given names.
    Family,
    /// Birth date, then name.
    BirthDate,
}

/// How a list is sorted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Order {
    /// By what.
    pub(crate) key: SortKey,
    /// The other way round.
    pub(crate) descending: bool,
}

impl Order {
    /// `entries`, which are sorted by name, in this order.
    pub(super) fn sorted(self, entries: &[Arc<Entry>]) -> Vec<&Entry> {
        let mut sorted: Vec<&Entry> = entries.iter().map(AsRef::as_ref).collect();
        if self.key == SortKey::BirthDate {
            sorted.sort_by_key(|entry| entry.birth_date());
        }
        if self.descending {
            sorted.reverse();
        }
        sorted
    }
}
