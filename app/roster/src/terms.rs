//! Terms: the distinct texts of patients, stored once.

use std::cmp::Ordering;

use zeroize::Zeroizing;

use crate::arena::TextArena;
use crate::arena::TextRef;
use crate::ids::TermId;
use crate::ids::number;
use crate::list::ChunkedList;
use crate::paged::Paged;

/// Maximum number of indexed bytes of a folded text. Longer texts with the same first bytes are not
/// distinguished; no name of this length is known.
pub(crate) const MAX_TERM_BYTES: usize = 96;

/// The indexed part of a folded text: its first bytes.
pub(crate) fn indexed(folded: &[u8]) -> &[u8] {
    folded.get(..MAX_TERM_BYTES).unwrap_or(folded)
}

/// The element of a patient to which a term belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Family,
    Given,
    OtherName,
    Street,
    City,
    State,
    PostalCode,
    Country,
    Language,
    Practitioner,
    Organization,
    Link,
}

/// The number of parts.
pub(crate) const PARTS: usize = Part::ALL.len();

impl Part {
    pub(crate) const ALL: [Self; 12] = [
        Self::Family,
        Self::Given,
        Self::OtherName,
        Self::Street,
        Self::City,
        Self::State,
        Self::PostalCode,
        Self::Country,
        Self::Language,
        Self::Practitioner,
        Self::Organization,
        Self::Link,
    ];

    /// The number of the part, its index in [`Self::ALL`].
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Family => 0,
            Self::Given => 1,
            Self::OtherName => 2,
            Self::Street => 3,
            Self::City => 4,
            Self::State => 5,
            Self::PostalCode => 6,
            Self::Country => 7,
            Self::Language => 8,
            Self::Practitioner => 9,
            Self::Organization => 10,
            Self::Link => 11,
        }
    }
}

/// The table of terms: each distinct text once, with the number of its uses.
pub(crate) struct TermTable {
    arena: TextArena,
    terms: Paged<Term>,
    free: Vec<TermId>,
}

#[derive(Default)]
struct Term {
    text: TextRef,
    /// The first bytes of the text, which decide most comparisons without reading the text.
    first_bytes: Zeroizing<u64>,
    uses: u32,
}

impl TermTable {
    pub(crate) fn new() -> Self {
        Self {
            arena: TextArena::default(),
            terms: Paged::new(),
            free: Vec::new(),
        }
    }

    /// Number of terms, unused ones included.
    pub(crate) fn len(&self) -> usize {
        self.terms.len()
    }

    pub(crate) fn text(&self, term: TermId) -> &[u8] {
        let text = self.terms.get(term.index()).map(|term| term.text);
        self.arena.text(text.unwrap_or_default())
    }

    /// Adds a text that is not in the table, with one use.
    pub(crate) fn add(&mut self, text: &[u8]) -> TermId {
        let term = Term {
            text: self.arena.store(indexed(text)),
            first_bytes: Zeroizing::new(first_bytes(text)),
            uses: 1,
        };
        let unused = || TermId(number(self.terms.len()));
        let id = self.free.pop().unwrap_or_else(unused);
        self.terms.set(id.index(), term);
        id
    }

    pub(crate) fn add_use(&mut self, term: TermId) {
        if let Some(term) = self.terms.get_mut(term.index()) {
            term.uses += 1;
        }
    }

    /// Removes one use, and with the last one the term. Returns whether the term was removed.
    pub(crate) fn remove_use(&mut self, id: TermId) -> bool {
        let Some(term) = self.terms.get_mut(id.index()) else {
            return false;
        };
        term.uses = term.uses.saturating_sub(1);
        if term.uses > 0 {
            return false;
        }
        self.arena.free(std::mem::take(term).text);
        self.free.push(id);
        true
    }

    /// Whether the term's next removed use is its last.
    fn has_one_use(&self, id: TermId) -> bool {
        self.terms
            .get(id.index())
            .is_some_and(|term| term.uses == 1)
    }

    /// The table of the terms in `order`, renumbered from 0, with these numbers of uses. Other texts are
    /// zeroized.
    pub(crate) fn reordered(mut self, order: &[TermId], uses: &[u32]) -> Self {
        let mut terms = Paged::new();
        for id in order {
            let term = self.terms.get_mut(id.index()).map(std::mem::take);
            terms.push(Term {
                uses: uses.get(id.index()).copied().unwrap_or_default(),
                ..term.unwrap_or_default()
            });
        }
        for term in self.terms.iter() {
            self.arena.free(term.text);
        }
        Self {
            arena: self.arena,
            terms,
            free: Vec::new(),
        }
    }

    pub(crate) fn compare(&self, a: TermId, b: TermId) -> Ordering {
        // Most comparisons of a sorted search are between equal names.
        if a == b {
            return Ordering::Equal;
        }
        self.first_bytes(a)
            .cmp(&self.first_bytes(b))
            .then_with(|| self.text(a).cmp(self.text(b)))
    }

    /// The order of a term's text and another text.
    pub(crate) fn compare_text(&self, term: TermId, text: &[u8]) -> Ordering {
        self.first_bytes(term)
            .cmp(&first_bytes(text))
            .then_with(|| self.text(term).cmp(text))
    }

    /// Whether this is the term's text.
    pub(crate) fn is_text(&self, term: TermId, text: &[u8]) -> bool {
        self.first_bytes(term) == first_bytes(text) && self.text(term) == text
    }

    /// The first eight bytes of a text as a number, padded with zeros. The numbers are in the order of
    /// texts.
    fn first_bytes(&self, term: TermId) -> u64 {
        self.terms
            .get(term.index())
            .map_or(0, |term| *term.first_bytes)
    }

    /// Memory of the terms and their texts, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.arena.bytes() + self.terms.bytes() + self.free.capacity() * size_of::<TermId>()
    }
}

fn first_bytes(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes
        .iter_mut()
        .zip(text)
        .for_each(|(byte, letter)| *byte = *letter);
    u64::from_be_bytes(bytes)
}

/// The terms with their sort order, by which a text is found.
pub(crate) struct Dictionary {
    terms: TermTable,
    sorted: ChunkedList<TermId>,
}

impl Dictionary {
    pub(crate) fn new() -> Self {
        Self::from_sorted(TermTable::new())
    }

    /// The dictionary of a table whose term numbers are in the order of texts.
    pub(crate) fn from_sorted(terms: TermTable) -> Self {
        let sorted: Vec<_> = (0..number(terms.len())).map(TermId).collect();
        Self {
            sorted: ChunkedList::from_sorted(&sorted),
            terms,
        }
    }

    pub(crate) fn terms(&self) -> &TermTable {
        &self.terms
    }

    /// The term of a text, with one more use.
    pub(crate) fn acquire(&mut self, text: &[u8]) -> TermId {
        let text = indexed(text);
        let at = self
            .sorted
            .partition_point(|term| self.terms.compare_text(term, text).is_lt());
        if let Some(term) = self.sorted.get(at)
            && self.terms.text(term) == text
        {
            self.terms.add_use(term);
            return term;
        }
        let term = self.terms.add(text);
        self.sorted.insert(at, term);
        term
    }

    /// Removes one use of a term.
    pub(crate) fn release(&mut self, term: TermId) {
        if self.terms.has_one_use(term) {
            let is_before = |other| self.terms.compare(other, term).is_lt();
            let at = self.sorted.partition_point(is_before);
            self.sorted.remove(at);
        }
        self.terms.remove_use(term);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.terms.bytes() + self.sorted.bytes()
    }
}
