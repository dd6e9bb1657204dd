//! Queries for patients: conditions on names, addresses, dates, codes and references.

use std::fmt;

use fhir::PatientFlags;
use fhir::ReferenceElement;
use fhir::fold_name;
use fhir::folded_words;
use fhir::search::DatePrefix;
use fhir::search::DateQuery;
use fhir::search::InstantQuery;
use fhir::search::LanguageQuery;
use fhir::search::ReferenceQuery;
use fhir::search::SystemQuery;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::fields::DateSpan;
use crate::folded_fields::language_term;
use crate::folded_fields::reference_term;
use crate::terms::Part;
use crate::terms::indexed;

/// A query for patients; a patient must match every condition.
#[derive(Default)]
pub struct RosterQuery<'a> {
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// If given, only these patients are considered; repeated and unknown ids have no effect.
    pub among: Option<&'a [Uuid]>,
}

/// One search parameter: a patient matches it by matching any of its values. Without values, none
/// match.
pub struct Condition(pub(crate) Test);

/// The test of a condition.
pub(crate) enum Test {
    Terms(TermsTest),
    Birth(Vec<DateComparison>),
    Flags {
        any_of: Zeroizing<PatientFlags>,
        negated: bool,
    },
    Death(Vec<InstantQuery>),
    Updated(Vec<InstantQuery>),
    Ids(Vec<Uuid>),
}

/// A test of the terms of a patient.
pub(crate) struct TermsTest {
    pub(crate) parts: &'static [Part],
    /// Alternatives. Of one, every test must be met by a term of the parts.
    pub(crate) values: Vec<Vec<TermTest>>,
    /// Whether patients match that meet none of the alternatives.
    pub(crate) negated: bool,
}

/// A test of one term.
pub(crate) struct TermTest {
    pub(crate) matching: TermMatch,
    pub(crate) text: Zeroizing<Vec<u8>>,
}

/// The comparison of a term with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TermMatch {
    Exact,
    Prefix,
    /// Not indexed: reads all terms.
    Contains,
    /// Not indexed: reads all terms.
    Suffix,
}

/// The elements of a `HumanName` that a condition considers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameElements {
    /// Family names.
    Family,
    /// Given names.
    Given,
    /// All elements: family, given, text, prefix and suffix.
    Any,
}

/// The element of an address that a condition considers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressElements {
    /// City.
    City,
    /// State.
    State,
    /// Postal code.
    PostalCode,
    /// Country.
    Country,
}

/// The comparison of a string with an element of a name, both of them folded ([`fold_name`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringMatch {
    /// The element, or what follows the beginning of one of its words, begins with the string.
    Prefix,
    /// The element contains the string (`:contains`). Not indexed: reads all names.
    Contains,
}

/// The comparison of a birth date with a date, both of them spans of days (R4 3.1.1.4.7).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DateComparison {
    /// The comparison operator.
    pub prefix: DatePrefix,
    /// The date in the query, as a span.
    pub span: DateSpan,
}

impl Condition {
    /// A condition on names. A value that folds to nothing, such as a hyphen, matches every patient
    /// that has one of the elements.
    #[must_use]
    pub fn name(elements: NameElements, matching: StringMatch, values: &[&str]) -> Self {
        Self::folded(elements.parts(), matching, values)
    }

    /// A condition on an element of addresses.
    #[must_use]
    pub fn address_element(
        element: AddressElements,
        matching: StringMatch,
        values: &[&str],
    ) -> Self {
        Self::folded(element.parts(), matching, values)
    }

    /// A condition on whole addresses. Each word of a value must match a word of any element; a
    /// value without words matches every patient that has an address.
    #[must_use]
    pub fn address(matching: StringMatch, values: &[&str]) -> Self {
        let value = |value: &&str| {
            let words = folded_words(value);
            let mut tests: Vec<_> = words
                .map(|it| TermTest::folded(matching, it.text()))
                .collect();
            if tests.is_empty() {
                tests.push(TermTest::folded(StringMatch::Prefix, ""));
            }
            tests
        };
        Self(Test::Terms(TermsTest {
            parts: &ADDRESS_PARTS,
            values: values.iter().map(value).collect(),
            negated: false,
        }))
    }

    /// A condition on languages.
    #[must_use]
    pub fn language(query: &LanguageQuery) -> Self {
        let values = query.any_of().iter().map(|coding| {
            let code = coding.code.as_ref().map(|code| code.as_str());
            let (matching, system) = match (&coding.system, code) {
                (SystemQuery::Any, _) => (TermMatch::Prefix, ""),
                (SystemQuery::None, _) => (TermMatch::Exact, ""),
                (SystemQuery::Is(system), Some(_)) => (TermMatch::Exact, system.as_str()),
                (SystemQuery::Is(system), None) => (TermMatch::Suffix, system.as_str()),
            };
            let text = language_term(system, code.unwrap_or_default());
            vec![TermTest { matching, text }]
        });
        Self(Test::Terms(TermsTest {
            parts: &[Part::Language],
            values: values.collect(),
            negated: query.negated(),
        }))
    }

    /// A condition on references.
    #[must_use]
    pub fn reference(query: &ReferenceQuery) -> Self {
        let values = query.any_of().iter().map(|value| {
            let (matching, text) = match value.resource_type {
                Some(resource_type) => {
                    let id = value.id;
                    let reference = fhir::PatientReference { resource_type, id };
                    (TermMatch::Exact, reference_term(reference))
                }
                None => (
                    TermMatch::Prefix,
                    Zeroizing::new(value.id.as_bytes().to_vec()),
                ),
            };
            vec![TermTest { matching, text }]
        });
        let parts: &[Part] = match query.element() {
            ReferenceElement::GeneralPractitioner => &[Part::Practitioner],
            ReferenceElement::ManagingOrganization => &[Part::Organization],
            ReferenceElement::Link => &[Part::Link],
        };
        Self(Test::Terms(TermsTest {
            parts,
            values: values.collect(),
            negated: false,
        }))
    }

    /// A condition on the birth date. Patients without a birth date do not match.
    #[must_use]
    pub fn birth_date(comparisons: Vec<DateComparison>) -> Self {
        Self(Test::Birth(comparisons))
    }

    /// A condition on whether a patient has one of some flags, or `negated`, none of them.
    #[must_use]
    pub fn flags(any_of: PatientFlags, negated: bool) -> Self {
        let any_of = Zeroizing::new(any_of);
        Self(Test::Flags { any_of, negated })
    }

    /// A condition on the time of death. Patients without one do not match.
    #[must_use]
    pub fn death(any_of: Vec<InstantQuery>) -> Self {
        Self(Test::Death(any_of))
    }

    /// A condition on the time of the last change.
    #[must_use]
    pub fn updated(any_of: Vec<InstantQuery>) -> Self {
        Self(Test::Updated(any_of))
    }

    /// A condition on the id.
    #[must_use]
    pub fn ids(any_of: Vec<Uuid>) -> Self {
        Self(Test::Ids(any_of))
    }

    fn folded(parts: &'static [Part], matching: StringMatch, values: &[&str]) -> Self {
        let values = values.iter();
        let values = values.map(|value| vec![TermTest::folded(matching, &fold_name(value))]);
        Self(Test::Terms(TermsTest {
            parts,
            values: values.collect(),
            negated: false,
        }))
    }
}

/// The parts of an address.
const ADDRESS_PARTS: [Part; 5] = [
    Part::Street,
    Part::City,
    Part::State,
    Part::PostalCode,
    Part::Country,
];

impl NameElements {
    /// The parts of names, each with an index of its own, that these elements are.
    fn parts(self) -> &'static [Part] {
        match self {
            Self::Family => &[Part::Family],
            Self::Given => &[Part::Given],
            Self::Any => &[Part::Family, Part::Given, Part::OtherName],
        }
    }
}

impl AddressElements {
    fn parts(self) -> &'static [Part] {
        match self {
            Self::City => &[Part::City],
            Self::State => &[Part::State],
            Self::PostalCode => &[Part::PostalCode],
            Self::Country => &[Part::Country],
        }
    }
}

impl TermTest {
    fn folded(matching: StringMatch, value: &str) -> Self {
        Self {
            matching: match matching {
                StringMatch::Prefix => TermMatch::Prefix,
                StringMatch::Contains => TermMatch::Contains,
            },
            text: Zeroizing::new(indexed(value.as_bytes()).to_vec()),
        }
    }

    /// Whether an indexed term matches.
    pub(crate) fn matches(&self, term: &[u8]) -> bool {
        let text = self.text.as_slice();
        match self.matching {
            TermMatch::Exact => term == text,
            TermMatch::Prefix => term.starts_with(text),
            TermMatch::Suffix => term.ends_with(text),
            TermMatch::Contains => {
                text.is_empty() || term.windows(text.len()).any(|part| part == text)
            }
        }
    }
}

impl TermMatch {
    /// Whether the matching terms are not one range of an index.
    pub(crate) const fn reads_all(self) -> bool {
        match self {
            Self::Exact | Self::Prefix => false,
            Self::Contains | Self::Suffix => true,
        }
    }
}

impl From<DateQuery> for DateComparison {
    fn from(query: DateQuery) -> Self {
        Self {
            prefix: query.prefix(),
            span: query.span().into(),
        }
    }
}

impl DateComparison {
    /// Whether a patient with this birth date matches.
    #[must_use]
    pub fn matches(self, birth: DateSpan) -> bool {
        let ends = |span: DateSpan| (span.first, span.last);
        self.prefix.compare(ends(birth), ends(self.span))
    }

    /// A range of days, such that every birth date that begins in it matches.
    pub(crate) fn certain_first_days(self, longest: i32) -> (i32, i32) {
        let span = self.span;
        let before = span.first.saturating_sub(1);
        match self.prefix {
            DatePrefix::Equal => (span.first, span.last.saturating_sub(longest)),
            DatePrefix::Less | DatePrefix::LessOrEqual => (i32::MIN, before),
            DatePrefix::EndsBefore => (i32::MIN, before.saturating_sub(longest)),
            DatePrefix::NotEqual
            | DatePrefix::Greater
            | DatePrefix::GreaterOrEqual
            | DatePrefix::StartsAfter => (span.last.saturating_add(1), i32::MAX),
        }
    }

    /// The range of days in which the birth date of every match begins, if no birth date spans more
    /// than `longest` days.
    pub(crate) fn possible_first_days(self, longest: i32) -> (i32, i32) {
        let span = self.span;
        let reaching_beyond = span.last.saturating_sub(longest).saturating_add(1);
        match self.prefix {
            DatePrefix::Equal => (span.first, span.last),
            DatePrefix::NotEqual => (i32::MIN, i32::MAX),
            DatePrefix::Greater => (reaching_beyond, i32::MAX),
            DatePrefix::GreaterOrEqual => (reaching_beyond.min(span.first), i32::MAX),
            DatePrefix::Less | DatePrefix::EndsBefore => (i32::MIN, span.first.saturating_sub(1)),
            DatePrefix::LessOrEqual => (i32::MIN, span.last),
            DatePrefix::StartsAfter => (span.last.saturating_add(1), i32::MAX),
        }
    }
}

impl fmt::Debug for RosterQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RosterQuery([redacted])")
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condition([redacted])")
    }
}

impl fmt::Debug for DateComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DateComparison([redacted])")
    }
}
