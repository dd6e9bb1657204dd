//! The table of a roster's patients.

use std::cmp::Ordering;

use fhir::InstantSpan;
use fhir::PatientFlags;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::fields::DateSpan;
use crate::fields::PatientFields;
use crate::fields::SortKey;
use crate::ids::Slot;
use crate::ids::TermId;
use crate::ids::number;
use crate::page::KeyParts;
use crate::page::PagePosition;
use crate::paged::Paged;
use crate::terms::Part;
use crate::terms::TermTable;

/// The bit of a patient in a slot that is in use, which [`PatientFlags`] never sets.
const IN_USE: u32 = 1 << 31;
/// Number of bits of the part of a [`TermUse`].
const PART_BITS: u32 = 4;

/// One patient.
#[derive(Default)]
pub(crate) struct Patient {
    pub(crate) id: Uuid,
    pub(crate) names: Names,
    pub(crate) birth: Zeroizing<Option<DateSpan>>,
    /// The flags, and [`IN_USE`].
    bits: Zeroizing<u32>,
    /// In milliseconds since 1970.
    pub(crate) updated: i64,
    /// On the heap, because most patients are alive.
    death: Option<Box<Zeroizing<InstantSpan>>>,
}

/// The terms of a patient.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) sort_family: TermId,
    pub(crate) sort_given: TermId,
    /// Ascending, each once.
    pub(crate) uses: Box<[TermUse]>,
}

/// A term as a part of a patient: the number of the term and of the part in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TermUse(u32);

impl TermUse {
    pub(crate) fn new(term: TermId, part: Part) -> Self {
        // A term takes at least 28 bytes of at most 4 GiB: its number has less than 28 bits.
        Self(term.0 << PART_BITS | part.number())
    }

    pub(crate) const fn term(self) -> TermId {
        TermId(self.0 >> PART_BITS)
    }

    pub(crate) const fn is_of(self, part: Part) -> bool {
        self.0 & ((1 << PART_BITS) - 1) == part.number()
    }

    /// The use of another term for the same part.
    pub(crate) fn renumbered(self, term: TermId) -> Self {
        Self(term.0 << PART_BITS | self.0 & ((1 << PART_BITS) - 1))
    }
}

impl Patient {
    pub(crate) fn new(id: Uuid, names: Names, fields: &PatientFields<'_>) -> Self {
        Self {
            id,
            names,
            birth: Zeroizing::new(fields.birth),
            bits: Zeroizing::new(fields.flags.bits() | IN_USE),
            updated: fields.updated,
            death: fields.death.map(|death| Box::new(Zeroizing::new(death))),
        }
    }

    /// Whether the slot has a patient.
    pub(crate) fn is_in_use(&self) -> bool {
        *self.bits & IN_USE != 0
    }

    pub(crate) fn flags(&self) -> PatientFlags {
        PatientFlags::from_bits(*self.bits)
    }

    pub(crate) fn death(&self) -> Option<InstantSpan> {
        self.death.as_ref().map(|death| ***death)
    }

    /// Replaces what no index contains. Returns whether this is all in which `new` differs.
    pub(crate) fn replace_unindexed(&mut self, new: &mut Self) -> bool {
        let is_same =
            self.names == new.names && self.birth == new.birth && self.updated == new.updated;
        if is_same {
            std::mem::swap(&mut self.bits, &mut new.bits);
            std::mem::swap(&mut self.death, &mut new.death);
        }
        is_same
    }

    /// Memory on the heap, in bytes.
    fn heap_bytes(&self) -> usize {
        let death = self.death.as_ref().map_or(0, |death| size_of_val(&**death));
        self.names.bytes() + death
    }
}

impl Names {
    /// Every term of the patient, as often as it is used.
    pub(crate) fn terms(&self) -> impl Iterator<Item = TermId> {
        let sort_keys = [self.sort_family, self.sort_given];
        sort_keys
            .into_iter()
            .chain(self.uses.iter().map(|used| used.term()))
    }

    /// Memory on the heap, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.uses)
    }
}

/// The patients by slot.
pub(crate) struct PatientTable {
    patients: Paged<Patient>,
    free: Vec<Slot>,
    heap_bytes: usize,
}

impl PatientTable {
    pub(crate) const fn new() -> Self {
        Self {
            patients: Paged::new(),
            free: Vec::new(),
            heap_bytes: 0,
        }
    }

    /// Number of slots, unused ones included.
    pub(crate) fn slots(&self) -> usize {
        self.patients.len()
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Patient> {
        self.patients.get(slot.index())
    }

    pub(crate) fn id(&self, slot: Slot) -> Uuid {
        self.get(slot).map_or(Uuid::nil(), |patient| patient.id)
    }

    pub(crate) fn birth(&self, slot: Slot) -> Option<DateSpan> {
        self.get(slot).and_then(|patient| *patient.birth)
    }

    pub(crate) fn insert(&mut self, patient: Patient) -> Slot {
        let unused = || Slot(number(self.patients.len()));
        let slot = self.free.pop().unwrap_or_else(unused);
        self.heap_bytes += patient.heap_bytes();
        self.patients.set(slot.index(), patient);
        slot
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Patient {
        let patient = self.replace(slot, Patient::default());
        self.free.push(slot);
        patient
    }

    pub(crate) fn replace(&mut self, slot: Slot, patient: Patient) -> Patient {
        let Some(current) = self.patients.get_mut(slot.index()) else {
            return patient;
        };
        self.heap_bytes += patient.heap_bytes();
        self.heap_bytes -= current.heap_bytes();
        std::mem::replace(current, patient)
    }

    /// Changes what no index contains, if the patient does not differ in more.
    pub(crate) fn replace_unindexed(&mut self, slot: Slot, new: &mut Patient) -> bool {
        let Some(current) = self.patients.get_mut(slot.index()) else {
            return false;
        };
        let (before, other) = (current.heap_bytes(), new.heap_bytes());
        let is_replaced = current.replace_unindexed(new);
        if is_replaced {
            self.heap_bytes += other;
            self.heap_bytes -= before;
        }
        is_replaced
    }

    /// The order of two patients.
    pub(crate) fn compare(&self, terms: &TermTable, key: SortKey, a: Slot, b: Slot) -> Ordering {
        let (Some(a), Some(b)) = (self.get(a), self.get(b)) else {
            return Ordering::Equal;
        };
        let by_family = || terms.compare(a.names.sort_family, b.names.sort_family);
        let by_given = || terms.compare(a.names.sort_given, b.names.sort_given);
        let by_key = match key {
            SortKey::Family => by_family().then_with(by_given),
            SortKey::Given => by_given().then_with(by_family),
            SortKey::BirthDate => {
                let by_birth = a.birth.cmp(&b.birth);
                by_birth.then_with(by_family).then_with(by_given)
            }
            SortKey::Updated => a.updated.cmp(&b.updated),
            SortKey::Id => Ordering::Equal,
        };
        by_key.then_with(|| a.id.cmp(&b.id))
    }

    /// The order of a patient and a position.
    pub(crate) fn compare_to(&self, terms: &TermTable, slot: Slot, at: &PagePosition) -> Ordering {
        let Some(it) = self.get(slot) else {
            return Ordering::Equal;
        };
        let by_family = || terms.compare_text(it.names.sort_family, &at.family);
        let by_given = || terms.compare_text(it.names.sort_given, &at.given);
        let by_key = match at.key {
            SortKey::Family => by_family().then_with(by_given),
            SortKey::Given => by_given().then_with(by_family),
            SortKey::BirthDate => {
                let by_birth = it.birth.cmp(&at.birth);
                by_birth.then_with(by_family).then_with(by_given)
            }
            SortKey::Updated => it.updated.cmp(&at.updated),
            SortKey::Id => Ordering::Equal,
        };
        by_key.then_with(|| it.id.cmp(&at.id))
    }

    /// The sort key of a patient.
    pub(crate) fn key_parts<'t>(
        &self,
        terms: &'t TermTable,
        key: SortKey,
        slot: Slot,
    ) -> KeyParts<'t> {
        let mut parts = KeyParts {
            key,
            birth: None,
            updated: 0,
            family: &[],
            given: &[],
            id: self.id(slot),
        };
        let Some(patient) = self.get(slot) else {
            return parts;
        };
        match key {
            SortKey::Family | SortKey::Given | SortKey::BirthDate => {
                parts.family = terms.text(patient.names.sort_family);
                parts.given = terms.text(patient.names.sort_given);
            }
            SortKey::Updated => parts.updated = patient.updated,
            SortKey::Id => {}
        }
        if key == SortKey::BirthDate {
            parts.birth = *patient.birth;
        }
        parts
    }

    /// The slots in use, each with its patient.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = (Slot, &Patient)> {
        let slots = (0..).map(Slot).zip(self.patients.iter());
        slots.filter(|(_, patient)| patient.is_in_use())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Patient> {
        self.patients.iter()
    }

    pub(crate) fn into_patients(self) -> Paged<Patient> {
        self.patients
    }

    pub(crate) fn bytes(&self) -> usize {
        self.patients.bytes() + self.heap_bytes + self.free.capacity() * size_of::<Slot>()
    }
}
