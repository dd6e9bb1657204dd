//! The builder of a roster from many patients at once.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;

use uuid::Uuid;
use zeroize::Zeroize;

use crate::arena::TextArena;
use crate::fields::Full;
use crate::fields::PatientFields;
use crate::fields::SortKey;
use crate::folded_fields::FoldedFields;
use crate::ids::Slot;
use crate::ids::TermId;
use crate::ids::index;
use crate::ids::number;
use crate::list::ChunkedList;
use crate::paged::Paged;
use crate::patients::Names;
use crate::patients::Patient;
use crate::patients::PatientTable;
use crate::patients::TermUse;
use crate::ranking::Ranking;
use crate::roster::Roster;
use crate::roster::Word;
use crate::terms::Dictionary;
use crate::terms::Part;
use crate::terms::TermTable;
use crate::terms::indexed;

/// A builder that collects patients in any order and sorts once. Several threads can each fill a
/// builder, to be merged.
///
/// During the build it needs about as much memory as the roster in addition.
pub struct RosterBuilder {
    limit_bytes: usize,
    terms: TermTable,
    /// Terms by the keyed hash of their text, with linear probing.
    by_hash: HashMap<u64, TermId, BuildHasherDefault<KeyedHash>>,
    hasher: RandomState,
    patients: PatientTable,
}

impl RosterBuilder {
    /// An empty builder of a roster with this limit, in bytes.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes: limit_bytes.min(TextArena::MAX_BYTES),
            terms: TermTable::new(),
            by_hash: HashMap::default(),
            hasher: RandomState::new(),
            patients: PatientTable::new(),
        }
    }

    /// Adds a patient, or replaces the fields of one that was added before.
    ///
    /// # Errors
    ///
    /// The roster would exceed its limit.
    pub fn add(&mut self, patient: Uuid, fields: &PatientFields<'_>) -> Result<(), Full> {
        self.ensure_room()?;
        let (names, _) = FoldedFields::new(fields).intern(|text| self.term(text));
        self.patients.insert(Patient::new(patient, names, fields));
        Ok(())
    }

    /// Adds the patients of another builder, and its limit. Of a patient in both, the other's fields remain.
    ///
    /// # Errors
    ///
    /// The roster would exceed its limit.
    pub fn merge(&mut self, other: Self) -> Result<(), Full> {
        // Each builder has a share of the limit: with one share alone, the merged roster would be full too early.
        let limit_bytes = self.limit_bytes.saturating_add(other.limit_bytes);
        self.limit_bytes = limit_bytes.min(TextArena::MAX_BYTES);
        let numbers = (0..number(other.terms.len())).map(TermId);
        let terms: Vec<_> = numbers
            .map(|term| self.term(other.terms.text(term)))
            .collect();
        for mut patient in other.patients.into_patients() {
            self.ensure_room()?;
            patient.names.renumber(&terms);
            self.patients.insert(patient);
        }
        Ok(())
    }

    /// Sorts the patients and builds the indexes.
    ///
    /// # Errors
    ///
    /// The roster exceeds its limit.
    pub fn build(self) -> Result<Roster, Full> {
        let limit_bytes = self.limit_bytes;
        let (terms, patients) = self.with_terms_in_order();
        // From here on, term numbers are in the order of texts, and slots in the order of ids.
        let roster = Roster {
            limit_bytes,
            by_id: Ranking::from_sorted(&slots(&patients)),
            by_family: Ranking::from_sorted(&sorted_by(&patients, SortKey::Family)),
            by_given: Ranking::from_sorted(&sorted_by(&patients, SortKey::Given)),
            by_birth: Ranking::from_sorted(&sorted_by(&patients, SortKey::BirthDate)),
            by_updated: Ranking::from_sorted(&sorted_by(&patients, SortKey::Updated)),
            words: Part::ALL.map(|part| ChunkedList::from_sorted(&words(&patients, part))),
            longest_birth: longest_birth(&patients),
            dictionary: Dictionary::from_sorted(terms),
            patients,
        };
        if roster.bytes() > limit_bytes {
            return Err(Full);
        }
        Ok(roster)
    }

    /// The patients in the order of their ids, each once, and their terms in the order of their
    /// texts.
    fn with_terms_in_order(self) -> (TermTable, PatientTable) {
        let mut patients = latest(self.patients);
        let mut uses = vec![0_u32; self.terms.len()];
        for term in patients.iter().flat_map(|patient| patient.names.terms()) {
            if let Some(uses) = uses.get_mut(term.index()) {
                *uses += 1;
            }
        }
        let order = by_text(&self.terms, &uses);
        let mut renumbered = vec![TermId::default(); self.terms.len()];
        for (new, old) in order.iter().enumerate() {
            if let Some(term) = renumbered.get_mut(old.index()) {
                *term = TermId(number(new));
            }
        }
        let mut table = PatientTable::new();
        for patient in patients.iter_mut() {
            patient.names.renumber(&renumbered);
            table.insert(std::mem::take(patient));
        }
        (self.terms.reordered(&order, &uses), table)
    }

    fn ensure_room(&self) -> Result<(), Full> {
        if self.terms.bytes() + self.patients.bytes() > self.limit_bytes {
            return Err(Full);
        }
        Ok(())
    }

    fn term(&mut self, text: &[u8]) -> TermId {
        let text = indexed(text);
        let mut hash = self.hasher.hash_one(text);
        while let Some(term) = self.by_hash.get(&hash) {
            if self.terms.is_text(*term, text) {
                return *term;
            }
            hash = hash.wrapping_add(1);
        }
        let term = self.terms.add(text);
        self.by_hash.insert(hash, term);
        term
    }
}

/// A hasher for keys that are keyed hashes already: it returns the key.
#[derive(Default)]
struct KeyedHash(u64);

impl Hasher for KeyedHash {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Names {
    fn renumber(&mut self, terms: &[TermId]) {
        let new = |term: TermId| terms.get(term.index()).copied().unwrap_or_default();
        self.sort_family = new(self.sort_family);
        self.sort_given = new(self.sort_given);
        self.uses
            .iter_mut()
            .for_each(|used| *used = used.renumbered(new(used.term())));
        self.uses.sort_unstable();
    }
}

/// The patients in the order of their ids; of those with the same id, the last.
fn latest(patients: PatientTable) -> Paged<Patient> {
    let mut order: Vec<(Uuid, u32)> = (patients.iter().map(|patient| patient.id))
        .zip(0..)
        .collect();
    order.sort_unstable();
    let mut patients = patients.into_patients();
    let mut latest = Paged::new();
    for (at, (id, added)) in order.iter().enumerate() {
        if order.get(at + 1).is_some_and(|(next, _)| next == id) {
            continue;
        }
        let patient = patients.get_mut(index(*added)).map(std::mem::take);
        latest.push(patient.unwrap_or_default());
    }
    latest
}

/// The terms in use, in the order of their texts.
fn by_text(terms: &TermTable, uses: &[u32]) -> Vec<TermId> {
    let numbers = (0..number(terms.len())).map(TermId);
    // The first 16 bytes of the texts decide most comparisons without a look at the texts.
    let mut keys: Vec<_> = (numbers.zip(uses))
        .filter(|(_, uses)| **uses > 0)
        .map(|(term, _)| (first_bytes(terms.text(term)), term))
        .collect();
    keys.sort_unstable_by(|a, b| {
        let by_first_bytes = a.0.cmp(&b.0);
        by_first_bytes.then_with(|| terms.compare(a.1, b.1))
    });
    let order = keys.iter().map(|(_, term)| *term).collect();
    for (bytes, _) in &mut keys {
        bytes.zeroize();
    }
    order
}

fn first_bytes(text: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    for (byte, letter) in bytes.iter_mut().zip(text) {
        *byte = *letter;
    }
    u128::from_be_bytes(bytes)
}

fn slots(patients: &PatientTable) -> Vec<Slot> {
    (0..number(patients.slots())).map(Slot).collect()
}

/// The patients in an order. Terms have the order of their texts, and slots that of ids.
fn sorted_by(patients: &PatientTable, key: SortKey) -> Vec<Slot> {
    let key_of = |patient: &Patient| {
        let (family, given) = (patient.names.sort_family, patient.names.sort_given);
        match key {
            SortKey::Family => (None, family, given, 0),
            SortKey::Given => (None, given, family, 0),
            SortKey::BirthDate => (*patient.birth, family, given, 0),
            SortKey::Updated => (None, TermId(0), TermId(0), patient.updated),
            SortKey::Id => (None, TermId(0), TermId(0), 0),
        }
    };
    let mut keys: Vec<_> = (patients.iter().zip(slots(patients)))
        .map(|(patient, slot)| (key_of(patient), slot))
        .collect();
    keys.sort_unstable();
    let order = keys.iter().map(|(_, slot)| *slot).collect();
    for ((birth, ..), _) in &mut keys {
        birth.zeroize();
    }
    order
}

/// The words of one part of the patients, in the order of the words, then of the slots.
fn words(patients: &PatientTable, part: Part) -> Vec<Word> {
    let is_of_part = |used: &&TermUse| used.is_of(part);
    let mut words: Vec<_> = (patients.iter().zip(slots(patients)))
        .flat_map(|(patient, slot)| {
            let uses = patient.names.uses.iter().filter(is_of_part);
            uses.map(move |used| Word {
                term: used.term(),
                slot,
            })
        })
        .collect();
    words.sort_unstable();
    words
}

fn longest_birth(patients: &PatientTable) -> i32 {
    let births = patients.iter().filter_map(|patient| *patient.birth);
    births
        .map(|birth| birth.last.saturating_sub(birth.first))
        .max()
        .unwrap_or(0)
}

impl fmt::Debug for RosterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RosterBuilder").finish_non_exhaustive()
    }
}
