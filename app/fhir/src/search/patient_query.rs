//! The query of a search for patients.

use std::fmt;

use uuid::Uuid;

use super::address::AddressElement;
use super::address::AddressQuery;
use super::code::FlagQuery;
use super::code::LanguageQuery;
use super::code::ReferenceQuery;
use super::date::DateQuery;
use super::date::InstantQuery;
use super::patient_sort::PatientSort;
use super::text::SearchableName;
use super::text::SearchableText;
use super::text::TextMatch;
use super::text::TextQuery;
use super::token::ContactQuery;
use super::token::IdentifierQuery;
use crate::DateSpan;
use crate::Demographics;
use crate::InstantSpan;
use crate::ResponseForm;

/// A search for patients: a patient matches if it matches all conditions, each patient without any.
///
/// A condition is a list of alternatives, one of which must match. The values are PHI: they are
/// zeroized on drop, and `Debug` omits them.
#[derive(Default)]
pub struct PatientQuery {
    /// Conditions on identifiers.
    pub identifiers: Vec<Vec<IdentifierQuery>>,
    /// Conditions on contact points.
    pub contacts: Vec<Vec<ContactQuery>>,
    /// Conditions on family names.
    pub family: Vec<TextQuery>,
    /// Conditions on given names.
    pub given: Vec<TextQuery>,
    /// Conditions on any part of names.
    pub name: Vec<TextQuery>,
    /// Conditions on the birth date.
    pub birth_dates: Vec<Vec<DateQuery>>,
    /// Conditions on whole addresses.
    pub addresses: Vec<AddressQuery>,
    /// Conditions on elements of addresses.
    pub address_elements: Vec<(AddressElement, TextQuery)>,
    /// Conditions on codes, and on whether elements are missing.
    pub flags: Vec<FlagQuery>,
    /// Conditions on languages.
    pub languages: Vec<LanguageQuery>,
    /// Conditions on references.
    pub references: Vec<ReferenceQuery>,
    /// Conditions on the time of death.
    pub death_dates: Vec<Vec<InstantQuery>>,
    /// Conditions on the time of the last change, which demographics do not have.
    pub last_updated: Vec<Vec<InstantQuery>>,
    /// Conditions on the id, which demographics do not have.
    pub ids: Vec<Vec<Uuid>>,
    /// The order of the results.
    pub sort: PatientSort,
    /// Whether the response has no total (`_total=none`).
    pub omits_total: bool,
    /// Largest number of patients in the response, 0 to 200; 0 for the total only.
    pub count: usize,
    /// The form of the patients in the response.
    pub form: ResponseForm,
}

impl fmt::Debug for PatientQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PatientQuery([redacted])")
    }
}

impl PatientQuery {
    /// Whether a patient matches all conditions except those on the id and on the last change.
    #[must_use]
    pub fn matches(&self, patient: &Demographics) -> bool {
        let identified = |any_of: &Vec<IdentifierQuery>| {
            let is_met =
                |query: &IdentifierQuery| patient.identifiers.iter().any(|it| query.matches(it));
            any_of.iter().any(is_met)
        };
        let contacted = |any_of: &Vec<ContactQuery>| {
            let is_met = |query: &ContactQuery| patient.contacts.iter().any(|it| query.matches(it));
            any_of.iter().any(is_met)
        };
        let referring = |query: &ReferenceQuery| query.matches(patient.references(query.element()));
        let names: Vec<_> = patient.names.iter().map(SearchableName::new).collect();
        self.identifiers.iter().all(identified)
            && self.contacts.iter().all(contacted)
            && self.matches_names(&names)
            && self.matches_birth_date(patient.born)
            && self.matches_addresses(patient)
            && self.flags.iter().all(|query| query.matches(*patient.flags))
            && self
                .languages
                .iter()
                .all(|query| query.matches(&patient.languages))
            && self.references.iter().all(referring)
            && self.matches_death(patient.death)
    }

    /// Whether names match: each condition by one of them.
    #[must_use]
    pub fn matches_names(&self, names: &[SearchableName]) -> bool {
        let family = |query| names.iter().any(|name| name.family_matches(query));
        let given = |query| names.iter().any(|name| name.given_matches(query));
        let any = |query| names.iter().any(|name| name.any_matches(query));
        self.family.iter().all(family) && self.given.iter().all(given) && self.name.iter().all(any)
    }

    /// The only patient that can match, if a condition on the id names one.
    #[must_use]
    pub fn only_id(&self) -> Option<Uuid> {
        let mut single = self
            .ids
            .iter()
            .filter_map(|any_of| match any_of.as_slice() {
                [id] => Some(*id),
                _ => None,
            });
        single.next()
    }

    /// Whether a birth date matches; a patient without one matches no condition.
    #[must_use]
    pub fn matches_birth_date(&self, born: Option<DateSpan>) -> bool {
        let met = |any_of: &Vec<DateQuery>| {
            born.is_some_and(|born| any_of.iter().any(|query| query.matches(born)))
        };
        self.birth_dates.iter().all(met)
    }

    /// Whether a condition distinguishes case and accents (`:exact`).
    #[must_use]
    pub fn has_exact_text(&self) -> bool {
        let elements = self.address_elements.iter().map(|(_, text)| text);
        let names = self.family.iter().chain(&self.given).chain(&self.name);
        let texts = names.chain(elements).map(TextQuery::how);
        let addresses = self.addresses.iter().map(AddressQuery::how);
        texts.chain(addresses).any(|how| how == TextMatch::Exact)
    }

    fn matches_addresses(&self, patient: &Demographics) -> bool {
        let met = |(element, query): &(AddressElement, TextQuery)| {
            let texts = patient.addresses.iter().filter_map(|it| element.of(it));
            texts
                .into_iter()
                .any(|text| query.matches(&SearchableText::new(text)))
        };
        let whole = |query: &AddressQuery| query.matches(&patient.addresses);
        self.address_elements.iter().all(met) && self.addresses.iter().all(whole)
    }

    fn matches_death(&self, death: Option<InstantSpan>) -> bool {
        let met = |any_of: &Vec<InstantQuery>| {
            death.is_some_and(|death| any_of.iter().any(|query| query.matches(death)))
        };
        self.death_dates.iter().all(met)
    }

    /// The number of values of all conditions.
    pub(super) fn alternatives(&self) -> usize {
        let elements = self.address_elements.iter().map(|(_, text)| text);
        let texts = self.family.iter().chain(&self.given).chain(&self.name);
        let texts: usize = texts
            .chain(elements)
            .map(|text| text.values().count())
            .sum();
        let addresses: usize = self.addresses.iter().map(|it| it.values().count()).sum();
        let births: usize = self.birth_dates.iter().map(Vec::len).sum();
        let times = self.death_dates.iter().chain(&self.last_updated);
        let times: usize = times.map(Vec::len).sum();
        let languages: usize = self.languages.iter().map(|it| it.any_of().len()).sum();
        let references: usize = self.references.iter().map(|it| it.any_of().len()).sum();
        let tokens = languages + references + self.flags.len();
        texts + addresses + births + times + tokens + self.indexed_values()
    }

    /// The number of values that are looked up in blind indexes.
    pub(super) fn indexed_values(&self) -> usize {
        let identifiers: usize = self.identifiers.iter().map(Vec::len).sum();
        let contacts: usize = self.contacts.iter().map(Vec::len).sum();
        identifiers + contacts
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::search::parse;

    #[test]
    fn every_name_of_a_patient_is_searched() {
        use crate::PatientName;
        let text = |text: &str| Zeroizing::new(text.to_owned());
        let names = [
            PatientName {
                family: Some(text("Wed")),
                given: vec![text("Maya")],
                ..PatientName::default()
            },
            PatientName {
                family: Some(text("Birch")),
                suffix: vec![text("Qe")],
                ..PatientName::default()
            },
            PatientName {
                text: Some(text("Solo Zark")),
                ..PatientName::default()
            },
        ];
        let names: Vec<_> = names.iter().map(SearchableName::new).collect();
        for (form, expected) in [
            ("family=birch", true),
            ("family=birch,nobody&given=maya", true),
            ("name=zark", true),
            ("name=Solo+Zark", true),
            ("name=qe", true),
            ("family=zark", false),
            ("given=birch", false),
            ("family=wed&given=nobody", false),
        ] {
            let query = parse(form.as_bytes(), None).expect(form);
            assert_eq!(query.matches_names(&names), expected, "{form}");
        }
        let born = parse(b"birthdate=1980", None).expect("valid");
        assert!(!born.matches_birth_date(None));
    }
}
