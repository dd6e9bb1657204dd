//! `POST /fhir/Patient/_search`: the query, and which patients match it.

use std::fmt;

use crate::DateSpan;
use crate::Demographics;

mod condition;
mod date;
mod decimal;
mod digest;
mod form;
mod grammar;
mod parameters;
mod parse_condition;
mod path;
mod prefix;
mod refusals;
mod resource_query;
mod results;
mod searchset;
mod sort_key;
mod text;
mod time_span;
mod token;
pub mod url;
mod values;

pub use condition::Match;
pub use date::DatePrefix;
pub use date::DateQuery;
pub use form::PARAMETERS;
pub use form::parse;
pub use parameters::ParameterKind;
pub use parameters::SearchParameter;
pub use resource_query::ResourceQuery;
pub use results::Include;
pub use results::RESULT_PARAMETER_NAMES;
pub use results::ResultParameters;
pub use results::SummaryMode;
pub use results::Total;
pub use searchset::SearchMode;
pub use searchset::Searchset;
pub use searchset::incomplete_entry;
pub use searchset::searchset_entry;
pub use searchset::truncated_entry;
pub use searchset::unopened_entry;
pub use sort_key::SortKey;
pub use text::SearchableName;
pub use text::SearchableText;
pub use text::TextMatch;
pub use text::TextQuery;
pub use token::ContactQuery;
pub use token::IdentifierQuery;
pub use token::SystemQuery;
pub use values::SearchValues;

/// A search for patients: a patient matches if it matches all conditions.
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
    /// Largest number of patients in the response, 0 to 200; 0 for the total only.
    pub count: usize,
}

impl fmt::Debug for PatientQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PatientQuery([redacted])")
    }
}

impl PatientQuery {
    /// Whether a patient matches all conditions.
    #[must_use]
    pub fn matches(&self, patient: &Demographics) -> bool {
        let identified = |any_of: &Vec<IdentifierQuery>| {
            any_of
                .iter()
                .any(|query| patient.identifiers.iter().any(|it| query.matches(it)))
        };
        let contacted = |any_of: &Vec<ContactQuery>| {
            any_of
                .iter()
                .any(|query| patient.contacts.iter().any(|it| query.matches(it)))
        };
        let names: Vec<_> = patient.names.iter().map(SearchableName::new).collect();
        self.identifiers.iter().all(identified)
            && self.contacts.iter().all(contacted)
            && self.matches_names(&names)
            && self.matches_birth_date(patient.born)
    }

    /// Whether names match: each condition by one of them.
    #[must_use]
    pub fn matches_names(&self, names: &[SearchableName]) -> bool {
        let family = |query| names.iter().any(|name| name.family_matches(query));
        let given = |query| names.iter().any(|name| name.given_matches(query));
        let any = |query| names.iter().any(|name| name.any_matches(query));
        self.family.iter().all(family) && self.given.iter().all(given) && self.name.iter().all(any)
    }

    /// Whether a birth date matches; a patient without one matches no condition.
    #[must_use]
    pub fn matches_birth_date(&self, born: Option<DateSpan>) -> bool {
        let met = |any_of: &Vec<DateQuery>| {
            born.is_some_and(|born| any_of.iter().any(|query| query.matches(born)))
        };
        self.birth_dates.iter().all(met)
    }

    /// The number of values of all conditions.
    fn alternatives(&self) -> usize {
        let names = self.family.iter().chain(&self.given).chain(&self.name);
        let names: usize = names.map(|text| text.values().count()).sum();
        let births: usize = self.birth_dates.iter().map(Vec::len).sum();
        names + births + self.indexed_values()
    }

    /// The number of values that are looked up in blind indexes.
    fn indexed_values(&self) -> usize {
        let identifiers: usize = self.identifiers.iter().map(Vec::len).sum();
        let contacts: usize = self.contacts.iter().map(Vec::len).sum();
        identifiers + contacts
    }

    fn is_empty(&self) -> bool {
        self.identifiers.is_empty()
            && self.contacts.is_empty()
            && self.birth_dates.is_empty()
            && [&self.family, &self.given, &self.name]
                .iter()
                .all(|texts| texts.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

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
