//! The numbers of patients and terms within one roster.

/// A patient's index in the tables of a roster; reused after the patient's removal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(crate) u32);

/// A term's index in the table of terms; reused after the term's removal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TermId(pub(crate) u32);

impl Slot {
    pub(crate) fn index(self) -> usize {
        index(self.0)
    }
}

impl TermId {
    pub(crate) fn index(self) -> usize {
        index(self.0)
    }
}

/// Converts a stored number to an index.
pub(crate) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Converts an index to the number that is stored. Memory limits keep it below 2³².
pub(crate) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
