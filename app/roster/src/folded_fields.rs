//! The texts of a patient as the terms by which it is found.

use fhir::FoldedName;
use fhir::PatientReference;
use fhir::folded_words;
use zeroize::Zeroizing;

use crate::fields::LanguageFields;
use crate::fields::PatientFields;
use crate::ids::TermId;
use crate::patients::Names;
use crate::patients::TermUse;
use crate::terms::Part;

/// Upper bound of the memory of a patient without its terms, in bytes.
const PATIENT_BYTES: usize = 256;
/// Upper bound of the memory of a term without its text, in bytes.
const TERM_BYTES: usize = 64;
/// Maximum indexed bytes of the code of a language.
const MAX_CODE_BYTES: usize = 32;

/// The texts of a patient, folded.
pub(crate) struct FoldedFields {
    sort_family: FoldedName,
    sort_given: FoldedName,
    elements: Vec<(Part, FoldedName)>,
    /// Terms that are not folded.
    codes: Vec<(Part, Zeroizing<Vec<u8>>)>,
}

/// The term of a coding: the code in lower case, a zero byte, and the system.
pub(crate) fn language_term(system: &str, code: &str) -> Zeroizing<Vec<u8>> {
    let code = code.as_bytes();
    let code = code.get(..MAX_CODE_BYTES).unwrap_or(code);
    let mut term = Zeroizing::new(Vec::with_capacity(code.len() + 1 + system.len()));
    term.extend_from_slice(code);
    term.make_ascii_lowercase();
    term.push(0);
    // Cut here, so that the system alone is the end of the indexed term.
    let room = crate::terms::MAX_TERM_BYTES - MAX_CODE_BYTES - 1;
    term.extend_from_slice(system.as_bytes().get(..room).unwrap_or(system.as_bytes()));
    term
}

/// The term of a reference: the id, then the name of the type.
pub(crate) fn reference_term(reference: PatientReference) -> Zeroizing<Vec<u8>> {
    let name = reference.resource_type.name().as_bytes();
    Zeroizing::new([reference.id.as_bytes(), name].concat())
}

impl PatientFields<'_> {
    /// Upper bound of the memory that a roster needs for the patient, in bytes: every word of
    /// every name and address.
    #[must_use]
    pub fn bytes(&self) -> usize {
        FoldedFields::new(self).bytes()
    }
}

impl FoldedFields {
    pub(crate) fn new(fields: &PatientFields<'_>) -> Self {
        let mut elements = Vec::new();
        for name in fields.names {
            let family = [(Part::Family, name.family)];
            let given = name.given.iter().map(|given| (Part::Given, *given));
            let other = name.other.iter().map(|other| (Part::OtherName, *other));
            for (part, element) in family.into_iter().chain(given).chain(other) {
                if !element.is_empty() {
                    elements.push((part, FoldedName::new(element)));
                }
            }
        }
        for address in fields.addresses {
            let words = address.street.iter().flat_map(|line| folded_words(line));
            elements.extend(words.map(|word| (Part::Street, word)));
            let parts = [
                (Part::City, address.city),
                (Part::State, address.state),
                (Part::PostalCode, address.postal_code),
                (Part::Country, address.country),
            ];
            let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
            elements.extend(parts.map(|(part, text)| (part, FoldedName::new(text))));
        }
        Self {
            sort_family: FoldedName::new(fields.sort_family),
            sort_given: FoldedName::new(fields.sort_given),
            elements,
            codes: codes(fields),
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
            .map(|(part, text)| TermUse::new(acquire(text), part))
            .collect();
        uses.sort_unstable();
        let mut surplus = Vec::new();
        uses.dedup_by(|next, kept| {
            let is_repeated = next == kept;
            if is_repeated {
                surplus.push(next.term());
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

    fn terms(&self) -> impl Iterator<Item = (Part, &[u8])> {
        let codes = self
            .codes
            .iter()
            .map(|(part, code)| (*part, code.as_slice()));
        let elements = self.elements.iter().flat_map(|(part, element)| {
            let suffixes = element.suffixes();
            suffixes.map(|suffix| (*part, suffix.as_bytes()))
        });
        elements.chain(codes)
    }
}

/// The terms of languages and references.
fn codes(fields: &PatientFields<'_>) -> Vec<(Part, Zeroizing<Vec<u8>>)> {
    let language = |it: &LanguageFields<'_>| (Part::Language, language_term(it.system, it.code));
    let mut codes: Vec<_> = fields.languages.iter().map(language).collect();
    for (part, references) in [
        (Part::Practitioner, fields.practitioners),
        (Part::Organization, fields.organizations),
        (Part::Link, fields.links),
    ] {
        codes.extend(references.iter().map(|it| (part, reference_term(*it))));
    }
    codes
}
