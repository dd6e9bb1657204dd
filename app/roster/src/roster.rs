//! The roster: updates, and pages of all patients.

mod search;
mod slots;

use std::cmp::Ordering;
use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::arena::TextArena;
use crate::fields::Full;
use crate::fields::Order;
use crate::fields::Page;
use crate::fields::PatientFields;
use crate::fields::SortKey;
use crate::ids::Slot;
use crate::ids::TermId;
use crate::list::ChunkedList;
use crate::patients::FoldedNames;
use crate::patients::Names;
use crate::patients::Patient;
use crate::patients::PatientTable;
use crate::ranking::Ranking;
use crate::terms::Dictionary;
use crate::terms::NamePart;

/// One organization's patients, sorted and searchable by name and birth date.
pub struct Roster {
    pub(crate) limit_bytes: usize,
    pub(crate) dictionary: Dictionary,
    pub(crate) patients: PatientTable,
    pub(crate) by_id: ChunkedList<Slot>,
    pub(crate) by_family: Ranking,
    pub(crate) by_birth: Ranking,
    /// For each part of a name the terms with their patients, by text, then slot.
    pub(crate) words: [ChunkedList<Word>; 3],
    /// Maximum number of days between the ends of a birth date. Removals do not lower it.
    pub(crate) longest_birth: i32,
}

/// A term of a patient's name.
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
            by_id: ChunkedList::new(),
            by_family: Ranking::new(),
            by_birth: Ranking::new(),
            words: [const { ChunkedList::new() }; 3],
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
        let folded = FoldedNames::new(fields);
        if self.bytes().saturating_add(folded.bytes()) > self.limit_bytes {
            return Err(Full);
        }
        let (names, surplus) = folded.intern(|text| self.dictionary.acquire(text));
        for term in surplus {
            self.dictionary.release(term);
        }
        let new = Patient {
            id: patient,
            names,
            birth: Zeroizing::new(fields.birth),
        };
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
        let at = self.id_position(patient);
        self.by_id.remove(at);
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
        let slots = self.by_id.chunks().iter().flatten();
        slots.map(|slot| self.patients.id(*slot))
    }

    /// Number of patients.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether the roster has no patients.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory in use, in bytes, without the overhead of the allocator. Tables grow by pages, so that
    /// it may exceed the limit by one page of each: 150 kB in all.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let words: usize = self.words.iter().map(ChunkedList::bytes).sum();
        let rankings = self.by_family.bytes() + self.by_birth.bytes();
        self.dictionary.bytes() + self.patients.bytes() + self.by_id.bytes() + rankings + words
    }

    /// A page of all patients in an order.
    #[must_use]
    pub fn page(&self, order: Order, skip: usize, take: usize) -> Page {
        let ranking = self.ranking(order.key);
        let page = ranking.page(
            order.descending,
            (skip, take),
            &ranking.chunk_lens(),
            |_| true,
        );
        Page {
            ids: self.ids(&page),
            total: self.len(),
        }
    }

    fn ranking(&self, key: SortKey) -> &Ranking {
        match key {
            SortKey::Family => &self.by_family,
            SortKey::BirthDate => &self.by_birth,
        }
    }

    fn ids(&self, slots: &[Slot]) -> Vec<Uuid> {
        slots.iter().map(|slot| self.patients.id(*slot)).collect()
    }

    fn id_position(&self, patient: Uuid) -> crate::list::Position {
        self.by_id
            .partition_point(|slot| self.patients.id(slot) < patient)
    }

    fn slot(&self, patient: Uuid) -> Option<Slot> {
        let slot = self.by_id.get(self.id_position(patient))?;
        (self.patients.id(slot) == patient).then_some(slot)
    }

    fn insert(&mut self, patient: Patient) {
        let at = self.id_position(patient.id);
        let slot = self.patients.insert(patient);
        self.by_id.insert(at, slot);
        self.link(slot);
    }

    fn replace(&mut self, slot: Slot, new: Patient) {
        let old = self.patients.get(slot);
        if old.is_some_and(|old| old.names == new.names && old.birth == new.birth) {
            // Most changes of demographics concern neither name nor birth date: no index changes.
            self.release(&new.names);
            return;
        }
        self.unlink(slot);
        let old = self.patients.replace(slot, new);
        self.link(slot);
        self.release(&old.names);
    }

    /// Adds a patient that is in the table to the indexes.
    fn link(&mut self, slot: Slot) {
        let (patients, terms) = (&self.patients, self.dictionary.terms());
        if let Some(birth) = patients.birth(slot) {
            let days = birth.last.saturating_sub(birth.first);
            self.longest_birth = self.longest_birth.max(days);
        }
        self.by_family.insert(slot, |other| {
            patients.compare_by_family(terms, other, slot) == Ordering::Less
        });
        self.by_birth.insert(slot, |other| {
            patients.compare_by_birth(terms, other, slot) == Ordering::Less
        });
        self.for_each_word(slot, |words, at, word| {
            words.insert(at, word);
        });
    }

    /// Removes a patient that stays in the table from the indexes.
    fn unlink(&mut self, slot: Slot) {
        self.by_family.remove(slot);
        self.by_birth.remove(slot);
        self.for_each_word(slot, |words, at, _| {
            words.remove(at);
        });
    }

    /// Calls `change` for each term of a patient, with the term's index and the position in it.
    fn for_each_word(
        &mut self,
        slot: Slot,
        change: impl Fn(&mut ChunkedList<Word>, crate::list::Position, Word),
    ) {
        let terms = self.dictionary.terms();
        let Some(patient) = self.patients.get(slot) else {
            return;
        };
        for (part, words) in NamePart::ALL.into_iter().zip(&mut self.words) {
            for used in patient.names.uses.iter().filter(|used| used.part == part) {
                let at = words.partition_point(|other| {
                    let by_text = terms.compare(other.term, used.term);
                    by_text.then(other.slot.cmp(&slot)) == Ordering::Less
                });
                let term = used.term;
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
