//! The roster: updates, and pages of all patients.

mod search;
mod slots;

use std::cmp::Ordering;
use std::fmt;

use uuid::Uuid;

use crate::arena::TextArena;
use crate::fields::Full;
use crate::fields::Order;
use crate::fields::PatientFields;
use crate::fields::SortKey;
use crate::folded_fields::FoldedFields;
use crate::ids::Slot;
use crate::ids::TermId;
use crate::list::ChunkedList;
use crate::list::Position;
use crate::page::Page;
use crate::page::PagePosition;
use crate::page::Positions;
use crate::page::Start;
use crate::patients::Names;
use crate::patients::Patient;
use crate::patients::PatientTable;
use crate::ranking::ListStart;
use crate::ranking::Ranking;
use crate::terms::Dictionary;
use crate::terms::PARTS;
use crate::terms::Part;

/// One organization's patients, sorted and searchable.
pub struct Roster {
    pub(crate) limit_bytes: usize,
    pub(crate) dictionary: Dictionary,
    pub(crate) patients: PatientTable,
    pub(crate) by_id: Ranking,
    pub(crate) by_family: Ranking,
    pub(crate) by_given: Ranking,
    pub(crate) by_birth: Ranking,
    pub(crate) by_updated: Ranking,
    /// For each part the terms with their patients, by text, then slot.
    pub(crate) words: [ChunkedList<Word>; PARTS],
    /// Maximum number of days between the ends of a birth date. Removals do not lower it.
    pub(crate) longest_birth: i32,
}

/// The keys by which a patient is sorted again when its fields change.
const LINKED_KEYS: [SortKey; 4] = [
    SortKey::Family,
    SortKey::Given,
    SortKey::BirthDate,
    SortKey::Updated,
];
/// All sort keys.
const SORT_KEYS: [SortKey; 5] = [
    SortKey::Id,
    SortKey::Family,
    SortKey::Given,
    SortKey::BirthDate,
    SortKey::Updated,
];

/// A term of a patient.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Word {
    pub(crate) term: TermId,
    pub(crate) slot: Slot,
}

impl Roster {
    /// An empty roster with a memory limit in bytes, at most 4 GiB. [`Roster::bytes`] says what is
    /// counted.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes: limit_bytes.min(TextArena::MAX_BYTES),
            dictionary: Dictionary::new(),
            patients: PatientTable::new(),
            by_id: Ranking::new(),
            by_family: Ranking::new(),
            by_given: Ranking::new(),
            by_birth: Ranking::new(),
            by_updated: Ranking::new(),
            words: [const { ChunkedList::new() }; PARTS],
            longest_birth: 0,
        }
    }

    /// Adds a patient, or replaces its fields.
    ///
    /// # Errors
    ///
    /// The roster is full and unchanged. It may contain outdated fields of the patient: a caller that
    /// cannot make room must discard the roster rather than serve from it.
    pub fn upsert(&mut self, patient: Uuid, fields: &PatientFields<'_>) -> Result<(), Full> {
        let folded = FoldedFields::new(fields);
        if self.bytes().saturating_add(folded.bytes()) > self.limit_bytes {
            return Err(Full);
        }
        let (names, surplus) = folded.intern(|text| self.dictionary.acquire(text));
        for term in surplus {
            self.dictionary.release(term);
        }
        let new = Patient::new(patient, names, fields);
        match self.slot(patient) {
            Some(slot) => self.replace(slot, new),
            None => self.insert(new),
        }
        Ok(())
    }

    /// Removes a patient. Returns whether the roster contained it.
    pub fn remove(&mut self, patient: Uuid) -> bool {
        let Some(slot) = self.slot(patient) else {
            return false;
        };
        self.unlink(slot);
        self.by_id.remove(slot);
        let removed = self.patients.remove(slot);
        self.release(&removed.names);
        true
    }

    /// Whether the roster contains a patient.
    #[must_use]
    pub fn contains(&self, patient: Uuid) -> bool {
        self.slot(patient).is_some()
    }

    /// Every patient, by id.
    pub fn patients(&self) -> impl Iterator<Item = Uuid> {
        let slots = self.by_id.list().chunks().iter().flatten();
        slots.map(|slot| self.patients.id(*slot))
    }

    /// Number of patients.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.list().len()
    }

    /// Whether the roster has no patients.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory in use, in bytes, without the overhead of the allocator. Tables grow by pages, so that
    /// it may exceed the limit by one page of each: 200 kB in all.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let words: usize = self.words.iter().map(ChunkedList::bytes).sum();
        let rankings: usize = SORT_KEYS.map(|key| self.ranking(key).bytes()).iter().sum();
        self.dictionary.bytes() + self.patients.bytes() + rankings + words
    }

    /// A page of all patients in an order.
    #[must_use]
    pub fn page(&self, order: Order, start: Start<'_>, take: usize) -> Page {
        let ranking = self.ranking(order.key);
        let Some(start) = self.list_start(order, start) else {
            return Page::default();
        };
        let slots = ranking.page(
            order.descending,
            (start, take.saturating_add(1)),
            &ranking.chunk_lens(),
            |_| true,
        );
        self.page_of(order, slots, take, self.len())
    }

    fn ranking(&self, key: SortKey) -> &Ranking {
        match key {
            SortKey::Family => &self.by_family,
            SortKey::Given => &self.by_given,
            SortKey::BirthDate => &self.by_birth,
            SortKey::Updated => &self.by_updated,
            SortKey::Id => &self.by_id,
        }
    }

    /// The page of these patients, of which one more than is taken may be given.
    fn page_of(&self, order: Order, mut slots: Vec<Slot>, take: usize, total: usize) -> Page {
        let has_more = slots.len() > take;
        slots.truncate(take);
        let terms = self.dictionary.terms();
        let parts = slots.iter();
        let parts = parts.map(|slot| self.patients.key_parts(terms, order.key, *slot));
        Page {
            positions: Positions::encode(parts),
            ids: slots.iter().map(|slot| self.patients.id(*slot)).collect(),
            total,
            has_more,
        }
    }

    /// The start of a page in the list of an order; `None` for a position of another order.
    fn list_start(&self, order: Order, start: Start<'_>) -> Option<ListStart> {
        match start {
            Start::Skip(skip) => Some(ListStart::Skip(skip)),
            Start::After(position) if position.key == order.key => {
                Some(ListStart::At(self.after(position, order.descending)))
            }
            Start::After(_) => None,
        }
    }

    /// The place in the list after a position; before it in descending order.
    fn after(&self, position: &PagePosition, descending: bool) -> Position {
        let terms = self.dictionary.terms();
        self.ranking(position.key).list().partition_point(|slot| {
            match self.patients.compare_to(terms, slot, position) {
                Ordering::Less => true,
                Ordering::Equal => !descending,
                Ordering::Greater => false,
            }
        })
    }

    fn slot(&self, patient: Uuid) -> Option<Slot> {
        let list = self.by_id.list();
        let at = list.partition_point(|slot| self.patients.id(slot) < patient);
        let slot = list.get(at)?;
        (self.patients.id(slot) == patient).then_some(slot)
    }

    fn insert(&mut self, patient: Patient) {
        let id = patient.id;
        let slot = self.patients.insert(patient);
        let patients = &self.patients;
        self.by_id.insert(slot, |other| patients.id(other) < id);
        self.link(slot);
    }

    fn replace(&mut self, slot: Slot, mut new: Patient) {
        if self.patients.replace_unindexed(slot, &mut new) {
            self.release(&new.names);
            return;
        }
        let old = self.patients.get(slot);
        let is_only_updated =
            old.is_some_and(|old| old.names == new.names && old.birth == new.birth);
        if is_only_updated {
            // Most changes of demographics concern what only one index contains.
            self.by_updated.remove(slot);
            let old = self.patients.replace(slot, new);
            self.link_to(SortKey::Updated, slot);
            self.release(&old.names);
            return;
        }
        self.unlink(slot);
        let old = self.patients.replace(slot, new);
        self.link(slot);
        self.release(&old.names);
    }

    /// Adds a patient that is in the table to the indexes, except that of ids.
    fn link(&mut self, slot: Slot) {
        if let Some(birth) = self.patients.birth(slot) {
            let days = birth.last.saturating_sub(birth.first);
            self.longest_birth = self.longest_birth.max(days);
        }
        for key in LINKED_KEYS {
            self.link_to(key, slot);
        }
        self.for_each_word(slot, |words, at, word| {
            words.insert(at, word);
        });
    }

    fn link_to(&mut self, key: SortKey, slot: Slot) {
        let (patients, terms) = (&self.patients, self.dictionary.terms());
        let ranking = match key {
            SortKey::Family => &mut self.by_family,
            SortKey::Given => &mut self.by_given,
            SortKey::BirthDate => &mut self.by_birth,
            SortKey::Updated => &mut self.by_updated,
            SortKey::Id => &mut self.by_id,
        };
        ranking.insert(slot, |other| {
            patients.compare(terms, key, other, slot) == Ordering::Less
        });
    }

    /// Removes a patient that stays in the table from the indexes, except that of ids.
    fn unlink(&mut self, slot: Slot) {
        self.by_family.remove(slot);
        self.by_given.remove(slot);
        self.by_birth.remove(slot);
        self.by_updated.remove(slot);
        self.for_each_word(slot, |words, at, _| {
            words.remove(at);
        });
    }

    /// Calls `change` for each term of a patient, with the term's index and the position in it.
    fn for_each_word(
        &mut self,
        slot: Slot,
        change: impl Fn(&mut ChunkedList<Word>, Position, Word),
    ) {
        let terms = self.dictionary.terms();
        let Some(patient) = self.patients.get(slot) else {
            return;
        };
        for (part, words) in Part::ALL.into_iter().zip(&mut self.words) {
            for used in patient.names.uses.iter().filter(|used| used.is_of(part)) {
                let at = words.partition_point(|other| {
                    let by_text = terms.compare(other.term, used.term());
                    by_text.then(other.slot.cmp(&slot)) == Ordering::Less
                });
                let term = used.term();
                change(words, at, Word { term, slot });
            }
        }
    }

    fn release(&mut self, names: &Names) {
        names.terms().for_each(|term| self.dictionary.release(term));
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").finish_non_exhaustive()
    }
}
