//! Queries for patients: conditions on names and birth dates.

use std::fmt;

use fhir::fold_name;
use fhir::search::DatePrefix;
use fhir::search::DateQuery;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::fields::DateSpan;
use crate::terms::NamePart;
use crate::terms::indexed;

/// A query for patients; a patient must match every condition.
#[derive(Default)]
pub struct RosterQuery<'a> {
    /// Conditions on names and birth dates.
    pub conditions: Vec<Condition>,
    /// If given, only these patients are considered; repeated and unknown ids have no effect.
    pub among: Option<&'a [Uuid]>,
}

/// One search parameter: a patient matches it by matching any of its values. Without values, none
/// match.
pub struct Condition(pub(crate) Test);

/// The test of a condition.
pub(crate) enum Test {
    Name {
        elements: NameElements,
        matching: StringMatch,
        /// Folded.
        values: Vec<Zeroizing<String>>,
    },
    Birth(Vec<DateComparison>),
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
        Self(Test::Name {
            elements,
            matching,
            values: values.iter().map(|value| fold_name(value)).collect(),
        })
    }

    /// A condition on the birth date. Patients without a birth date do not match.
    #[must_use]
    pub fn birth_date(comparisons: Vec<DateComparison>) -> Self {
        Self(Test::Birth(comparisons))
    }
}

impl NameElements {
    /// The parts of names, each with an index of its own, that these elements are.
    pub(crate) fn parts(self) -> &'static [NamePart] {
        match self {
            Self::Family => &[NamePart::Family],
            Self::Given => &[NamePart::Given],
            Self::Any => &NamePart::ALL,
        }
    }
}

impl StringMatch {
    /// Whether an indexed term matches a folded value.
    pub(crate) fn matches(self, term: &[u8], value: &str) -> bool {
        let value = indexed(value.as_bytes());
        match self {
            Self::Prefix => term.starts_with(value),
            Self::Contains => {
                value.is_empty() || term.windows(value.len()).any(|part| part == value)
            }
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
        let span = self.span;
        let is_equal = span.first <= birth.first && birth.last <= span.last;
        match self.prefix {
            DatePrefix::Equal => is_equal,
            DatePrefix::NotEqual => !is_equal,
            DatePrefix::Greater => birth.last > span.last,
            DatePrefix::Less => birth.first < span.first,
            DatePrefix::GreaterOrEqual => is_equal || birth.last > span.last,
            DatePrefix::LessOrEqual => is_equal || birth.first < span.first,
            DatePrefix::StartsAfter => birth.first > span.last,
            DatePrefix::EndsBefore => birth.last < span.first,
        }
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
