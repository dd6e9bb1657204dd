//! The table of patients that the list and the search share.

use time::Date;
use utoipa::openapi::schema::Object;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::http::openapi::one_of;
use crate::services::records::PatientSummary;
use fhir::Demographics;
use roster::Order;
use roster::SortKey;

use super::dates::Day;
use super::dates::age;

/// One patient in the table.
#[derive(Clone)]
pub(crate) struct PatientRow {
    /// The chart's id, a random UUID.
    pub(super) id: Uuid,
    /// Family name.
    pub(super) family: String,
    /// Given names.
    pub(super) given: String,
    /// Birth date.
    pub(super) born: Day,
    /// The columns after it.
    pub(super) cells: Vec<Cell>,
}

/// One cell of the table.
#[derive(Clone)]
pub(crate) struct Cell {
    /// The class of its column.
    pub(super) class: &'static str,
    /// The column's heading, which stands beside the cell on a narrow page.
    pub(super) label: &'static str,
    /// Its words.
    pub(super) text: String,
}

/// A column: its heading, its class, and the words of a patient as of a day.
type Column = (
    &'static str,
    &'static str,
    fn(&Demographics, Date) -> String,
);

/// The columns after the name and the birth date.
const COLUMNS: &[Column] = &[
    ("Age", "age", age_in_words),
    ("Sex", "sex", |patient, _| {
        sex(patient.gender.as_ref()).to_owned()
    }),
    ("MRN", "mrn", |patient, _| words(patient.mrn.as_ref())),
];

/// The age; none for a patient that has died.
fn age_in_words(patient: &Demographics, today: Date) -> String {
    if patient.deceased {
        return "died".to_owned();
    }
    age(&words(patient.birth_date.as_ref()), today)
}

impl PatientRow {
    /// A patient as of `today`.
    pub(crate) fn new(
        PatientSummary {
            id,
            demographics: patient,
        }: &PatientSummary,
        today: Date,
    ) -> Self {
        let cell = |(label, class, text): &Column| Cell {
            class,
            label,
            text: text(patient, today),
        };
        Self {
            id: id.uuid(),
            family: words(patient.family.as_ref()),
            given: words(patient.given.as_ref()),
            born: Day::new(&words(patient.birth_date.as_ref())),
            cells: COLUMNS.iter().map(cell).collect(),
        }
    }
}

/// A sealed field as a page shows it; what is not recorded is empty.
pub(crate) fn words(field: Option<&Zeroizing<String>>) -> String {
    field
        .map(|text| text.as_str().to_owned())
        .unwrap_or_default()
}

/// FHIR's administrative gender in words.
pub(crate) fn sex(gender: Option<&Zeroizing<String>>) -> &'static str {
    match gender.map(|gender| gender.as_str()) {
        Some("female") => "Female",
        Some("male") => "Male",
        Some("other") => "Other",
        Some(_) | None => "Unknown",
    }
}

/// A column's heading.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    /// Its words.
    pub(crate) label: &'static str,
    /// The class of its cells.
    pub(crate) class: &'static str,
    /// Where a click sorts by it, for a column that can.
    pub(crate) href: Option<String>,
    /// `ascending` or `descending`, where the table is sorted by it.
    pub(crate) sorted: Option<&'static str>,
}

/// What the list is sorted by, as its address names it.
const KEYS: [(&str, SortKey); 2] = [
    ("family", SortKey::Family),
    ("birth_date", SortKey::BirthDate),
];
const ASCENDING: &str = "asc";
const DESCENDING: &str = "desc";

/// The order of the patient list, as its address says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sorting(pub(crate) Order);

impl Sorting {
    /// The values of `sort`.
    pub(crate) fn keys() -> Object {
        one_of(KEYS.map(|(name, _)| name))
    }

    /// The values of `order`.
    pub(crate) fn directions() -> Object {
        one_of([ASCENDING, DESCENDING])
    }

    /// Reads `sort` and `order` of the address; what they don't know is by family name, ascending.
    pub(crate) fn read(sort: Option<&str>, order: Option<&str>) -> Self {
        let named = KEYS.iter().find(|(name, _)| sort == Some(*name));
        let key = named.map_or(SortKey::Family, |(_, key)| *key);
        Self(Order {
            key,
            descending: order == Some(DESCENDING),
        })
    }

    /// The list's address in this order.
    pub(crate) fn href(self) -> String {
        let named = KEYS.iter().find(|(_, key)| *key == self.0.key);
        let sort = named.map_or("", |(name, _)| *name);
        let order = if self.0.descending {
            DESCENDING
        } else {
            ASCENDING
        };
        format!("/patients?sort={sort}&order={order}")
    }

    /// The headings of a list in this order; a click on the sorted column turns it round.
    pub(crate) fn headings(self) -> Vec<Heading> {
        let mut headings = plain_headings();
        for (class, key) in [("family", SortKey::Family), ("born", SortKey::BirthDate)] {
            let sorted = self.0.key == key;
            let turned = Self(Order {
                key,
                descending: sorted && !self.0.descending,
            });
            for heading in headings.iter_mut().filter(|heading| heading.class == class) {
                heading.href = Some(turned.href());
                heading.sorted = sorted.then_some(if self.0.descending {
                    "descending"
                } else {
                    "ascending"
                });
            }
        }
        headings
    }
}

/// The headings of a table that is not sorted by a click.
pub(crate) fn plain_headings() -> Vec<Heading> {
    let names = [
        ("Family name", "family"),
        ("Given name", "given"),
        ("Birth date", "born"),
    ];
    let more = COLUMNS.iter().map(|(label, class, _)| (*label, *class));
    names
        .into_iter()
        .chain(more)
        .map(|(label, class)| Heading {
            label,
            class,
            href: None,
            sorted: None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_on_the_sorted_column_turns_the_order_round() {
        let headings = Sorting::read(Some("family"), Some("asc")).headings();
        assert_eq!(
            headings[0].href.as_deref(),
            Some("/patients?sort=family&order=desc")
        );
        assert_eq!(headings[0].sorted, Some("ascending"));
        assert_eq!(
            headings[2].href.as_deref(),
            Some("/patients?sort=birth_date&order=asc")
        );
        assert_eq!(headings[2].sorted, None);
    }

    #[test]
    fn an_order_nobody_knows_is_by_family_name() {
        let sorting = Sorting::read(Some("ssn"), Some("sideways"));
        assert_eq!(
            sorting.0,
            Order {
                key: SortKey::Family,
                descending: false
            }
        );
    }
}
