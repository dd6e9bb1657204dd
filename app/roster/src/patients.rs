//! The table of a roster's patients.

use std::cmp::Ordering;

use fhir::FoldedName;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::fields::DateSpan;
use crate::fields::PatientFields;
use crate::ids::Slot;
use crate::ids::TermId;
use crate::ids::number;
use crate::paged::Paged;
use crate::terms::NamePart;
use crate::terms::TermTable;

/// Upper bound of the memory of a patient without its terms, in bytes.
const PATIENT_BYTES: usize = 160;
/// Upper bound of the memory of a term without its text, in bytes.
const TERM_BYTES: usize = 64;

/// One patient.
#[derive(Default)]
pub(crate) struct Patient {
    pub(crate) id: Uuid,
    pub(crate) names: Names,
    pub(crate) birth: Zeroizing<Option<DateSpan>>,
}

/// The terms of a patient.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) sort_family: TermId,
    pub(crate) sort_given: TermId,
    /// Ascending, each once.
    pub(crate) uses: Box<[TermUse]>,
}

/// A term as a part of a patient's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TermUse {
    pub(crate) term: TermId,
    pub(crate) part: NamePart,
}

/// The names of a patient, folded.
pub(crate) struct FoldedNames {
    sort_family: FoldedName,
    sort_given: FoldedName,
    elements: Vec<(NamePart, FoldedName)>,
}

impl PatientFields<'_> {
    /// Upper bound of the memory that a roster needs for the patient, in bytes: every word of every name.
    #[must_use]
    pub fn bytes(&self) -> usize {
        FoldedNames::new(self).bytes()
    }
}

impl FoldedNames {
    pub(crate) fn new(fields: &PatientFields<'_>) -> Self {
        let mut elements = Vec::new();
        for name in fields.names {
            let family = [(NamePart::Family, name.family)];
            let given = name.given.iter().map(|given| (NamePart::Given, *given));
            let other = name.other.iter().map(|other| (NamePart::Other, *other));
            for (part, element) in family.into_iter().chain(given).chain(other) {
                if !element.is_empty() {
                    elements.push((part, FoldedName::new(element)));
                }
            }
        }
        Self {
            sort_family: FoldedName::new(fields.sort_family),
            sort_given: FoldedName::new(fields.sort_given),
            elements,
        }
    }

    /// Upper bound of the memory that the patient needs, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let sort_keys = self.sort_family.text().len() + self.sort_given.text().len();
        let terms: usize = self.terms().map(|(_, term)| term.len() + TERM_BYTES).sum();
        PATIENT_BYTES + sort_keys + 2 * TERM_BYTES + terms
    }

    /// Replaces texts by terms. A term occurs once for each part of a name that contains it; the second
    /// result is the acquired terms that do not occur in the first.
    pub(crate) fn intern(&self, mut acquire: impl FnMut(&[u8]) -> TermId) -> (Names, Vec<TermId>) {
        let mut uses: Vec<_> = self
            .terms()
            .map(|(part, text)| TermUse {
                term: acquire(text.as_bytes()),
                part,
            })
            .collect();
        uses.sort_unstable();
        let mut surplus = Vec::new();
        uses.dedup_by(|next, kept| {
            let is_repeated = next == kept;
            if is_repeated {
                surplus.push(next.term);
            }
            is_repeated
        });
        let names = Names {
            sort_family: acquire(self.sort_family.text().as_bytes()),
            sort_given: acquire(self.sort_given.text().as_bytes()),
            uses: uses.into_boxed_slice(),
        };
        (names, surplus)
    }

    fn terms(&self) -> impl Iterator<Item = (NamePart, &str)> {
        let elements = self.elements.iter();
        elements.flat_map(|(part, element)| element.suffixes().map(|suffix| (*part, suffix)))
    }
}

impl Names {
    /// Every term of the patient, as often as it is used.
    pub(crate) fn terms(&self) -> impl Iterator<Item = TermId> {
        let sort_keys = [self.sort_family, self.sort_given];
        sort_keys
            .into_iter()
            .chain(self.uses.iter().map(|name| name.term))
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
    names_bytes: usize,
}

impl PatientTable {
    pub(crate) const fn new() -> Self {
        Self {
            patients: Paged::new(),
            free: Vec::new(),
            names_bytes: 0,
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
        self.names_bytes += patient.names.bytes();
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
        self.names_bytes += patient.names.bytes();
        self.names_bytes -= current.names.bytes();
        std::mem::replace(current, patient)
    }

    /// The order of two patients by name.
    pub(crate) fn compare_by_family(&self, terms: &TermTable, a: Slot, b: Slot) -> Ordering {
        let (Some(a), Some(b)) = (self.get(a), self.get(b)) else {
            return Ordering::Equal;
        };
        terms
            .compare(a.names.sort_family, b.names.sort_family)
            .then_with(|| terms.compare(a.names.sort_given, b.names.sort_given))
            .then_with(|| a.id.cmp(&b.id))
    }

    /// The order of two patients by birth date, then name.
    pub(crate) fn compare_by_birth(&self, terms: &TermTable, a: Slot, b: Slot) -> Ordering {
        let by_birth = self.birth(a).cmp(&self.birth(b));
        by_birth.then_with(|| self.compare_by_family(terms, a, b))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Patient> {
        self.patients.iter()
    }

    pub(crate) fn into_patients(self) -> Paged<Patient> {
        self.patients
    }

    pub(crate) fn bytes(&self) -> usize {
        self.patients.bytes() + self.names_bytes + self.free.capacity() * size_of::<Slot>()
    }
}
