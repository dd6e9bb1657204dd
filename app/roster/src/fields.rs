//! The fields by which a patient is indexed, and the pages and orders of lists.

use std::fmt;

use fhir::InstantSpan;
use fhir::PatientFlags;
use fhir::PatientReference;
use time::Date;
use zeroize::Zeroize;

/// The demographics of one patient, as in the record.
#[derive(Clone, Copy, Default)]
pub struct PatientFields<'a> {
    /// Every name, former and alternative ones included: search considers all of them.
    pub names: &'a [NameFields<'a>],
    /// Family name by which lists are sorted: that of the current name.
    pub sort_family: &'a str,
    /// Given names by which lists are sorted within a family name.
    pub sort_given: &'a str,
    /// The birth date, if one is recorded: the days on which the patient may have been born.
    pub birth: Option<DateSpan>,
    /// Every address, former ones included.
    pub addresses: &'a [AddressFields<'a>],
    /// The languages in which the patient communicates.
    pub languages: &'a [LanguageFields<'a>],
    /// General practitioners.
    pub practitioners: &'a [PatientReference],
    /// The managing organization.
    pub organizations: &'a [PatientReference],
    /// Links to other records of the same person.
    pub links: &'a [PatientReference],
    /// The codes, and which elements are present.
    pub flags: PatientFlags,
    /// The time of death, if one is recorded.
    pub death: Option<InstantSpan>,
    /// The time of the last change, in milliseconds since 1970 (UTC).
    pub updated: i64,
}

/// One FHIR `Address`.
#[derive(Clone, Copy, Default)]
pub struct AddressFields<'a> {
    /// `line`, `district` and `text`: found word by word.
    pub street: &'a [&'a str],
    /// `city`, or empty.
    pub city: &'a str,
    /// `state`, or empty.
    pub state: &'a str,
    /// `postalCode`, or empty.
    pub postal_code: &'a str,
    /// `country`, or empty.
    pub country: &'a str,
}

/// One coding of a language.
#[derive(Clone, Copy, Default)]
pub struct LanguageFields<'a> {
    /// The URI of the code system, or empty.
    pub system: &'a str,
    /// The code.
    pub code: &'a str,
}

/// One FHIR `HumanName`.
#[derive(Clone, Copy, Default)]
pub struct NameFields<'a> {
    /// `HumanName.family`, or empty.
    pub family: &'a str,
    /// `HumanName.given`.
    pub given: &'a [&'a str],
    /// `HumanName.text`, `prefix` and `suffix`: found by the parameter `name` alone.
    pub other: &'a [&'a str],
}

/// A span of days, both ends included: the meaning of a FHIR date (R4 3.1.1.4.7), which may lack its
/// day, or its month and day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateSpan {
    /// Julian day number.
    pub(crate) first: i32,
    /// Julian day number.
    pub(crate) last: i32,
}

impl DateSpan {
    /// The days from `first` to `last`; `None` if `last` is earlier.
    #[must_use]
    pub fn new(first: Date, last: Date) -> Option<Self> {
        (first <= last).then(|| Self {
            first: first.to_julian_day(),
            last: last.to_julian_day(),
        })
    }

    /// One day.
    #[must_use]
    pub fn day(day: Date) -> Self {
        Self {
            first: day.to_julian_day(),
            last: day.to_julian_day(),
        }
    }
}

impl From<fhir::DateSpan> for DateSpan {
    fn from(span: fhir::DateSpan) -> Self {
        Self {
            first: span.first().to_julian_day(),
            last: span.last().to_julian_day(),
        }
    }
}

impl Zeroize for DateSpan {
    fn zeroize(&mut self) {
        self.first.zeroize();
        self.last.zeroize();
    }
}

/// The key that a list is sorted by. Equal keys are ordered by patient id, so that an order is the
/// same each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// Family name, then given names. Patients without a name are first.
    Family,
    /// Given names, then family name. Patients without given names are first.
    Given,
    /// First, then last possible day of birth, then the name. Patients without a birth date are
    /// first.
    BirthDate,
    /// Time of the last change.
    Updated,
    /// Patient id.
    Id,
}

/// The sort order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The sort key.
    pub key: SortKey,
    /// The exact reverse of the ascending order, patients without the key included.
    pub descending: bool,
}

/// The index would need more memory than its limit allows. It is left unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the roster has reached its memory limit")]
pub struct Full;

impl fmt::Debug for PatientFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PatientFields([redacted])")
    }
}

impl fmt::Debug for AddressFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressFields([redacted])")
    }
}

impl fmt::Debug for LanguageFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LanguageFields([redacted])")
    }
}

impl fmt::Debug for NameFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameFields([redacted])")
    }
}

impl fmt::Debug for DateSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DateSpan([redacted])")
    }
}
