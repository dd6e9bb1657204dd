//! The table of patients, on the pages of the list and of a search.

use time::Date;
use utoipa::openapi::schema::Object;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::http::openapi::one_of;
use crate::services::records::PatientSummary;
use fhir::Demographics;
use roster::Order;
use roster::SortKey;

use super::dates::DisplayDate;
use super::dates::age;

/// The largest number of damaged patients that a page lists.
pub(crate) const MAX_DAMAGED: usize = 100;

/// The row of a patient.
#[derive(Clone)]
pub(crate) struct PatientRow {
    /// The patient's id, a random UUID.
    pub(super) id: Uuid,
    pub(super) family: String,
    pub(super) given: String,
    pub(super) born: DisplayDate,
    /// The cells of the other columns.
    pub(super) cells: Vec<Cell>,
}

/// A cell of the table.
#[derive(Clone)]
pub(crate) struct Cell {
    /// The CSS class of the column.
    pub(super) class: &'static str,
    /// The heading of the column, which narrow pages show beside the cell.
    pub(super) label: &'static str,
    pub(super) text: String,
}

/// A column of the table.
struct Column {
    heading: &'static str,
    /// The CSS class.
    class: &'static str,
    /// The display text of a patient as of a day.
    text: fn(&Demographics, Date) -> String,
}

/// The columns after the name and the birth date.
const COLUMNS: &[Column] = &[
    Column {
        heading: "Age",
        class: "age",
        text: displayed_age,
    },
    Column {
        heading: "Sex",
        class: "sex",
        text: |patient, _| administrative_gender(patient.gender.as_ref()).to_owned(),
    },
    Column {
        heading: "MRN",
        class: "mrn",
        text: |patient, _| text(patient.mrn.as_ref()),
    },
];

/// The age; `died` for a deceased patient.
fn displayed_age(patient: &Demographics, today: Date) -> String {
    if patient.deceased {
        return "died".to_owned();
    }
    age(&text(patient.birth_date.as_ref()), today)
}

impl PatientRow {
    /// The row of a patient as of `today`.
    pub(crate) fn new(
        PatientSummary {
            id,
            demographics: patient,
        }: &PatientSummary,
        today: Date,
    ) -> Self {
        let cell = |column: &Column| Cell {
            class: column.class,
            label: column.heading,
            text: (column.text)(patient, today),
        };
        Self {
            id: id.uuid(),
            family: text(patient.family.as_ref()),
            given: text(patient.given.as_ref()),
            born: DisplayDate::new(&text(patient.birth_date.as_ref())),
            cells: COLUMNS.iter().map(cell).collect(),
        }
    }
}

/// The display text of a field; empty if it is not recorded.
pub(crate) fn text(field: Option<&Zeroizing<String>>) -> String {
    field
        .map(|value| value.as_str().to_owned())
        .unwrap_or_default()
}

/// The display text of FHIR's administrative gender.
pub(crate) fn administrative_gender(gender: Option<&Zeroizing<String>>) -> &'static str {
    match gender.map(|gender| gender.as_str()) {
        Some("female") => "Female",
        Some("male") => "Male",
        Some("other") => "Other",
        Some(_) | None => "Unknown",
    }
}

/// The heading of a column.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    pub(crate) label: &'static str,
    /// The CSS class of the column.
    pub(crate) class: &'static str,
    /// The URL of the list sorted by the column; none if it cannot be.
    pub(crate) href: Option<String>,
    /// `ascending` or `descending` if the table is sorted by the column (`aria-sort`).
    pub(crate) sorted: Option<&'static str>,
}

/// The sort keys, with their names in queries.
const SORT_KEYS: [(&str, SortKey); 2] = [
    ("family", SortKey::Family),
    ("birth_date", SortKey::BirthDate),
];
const ASCENDING: &str = "asc";
const DESCENDING: &str = "desc";

/// The order of the patient list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sorting(pub(crate) Order);

impl Sorting {
    /// The schema of `sort`.
    pub(crate) fn keys() -> Object {
        one_of(SORT_KEYS.map(|(name, _)| name))
    }

    /// The schema of `order`.
    pub(crate) fn directions() -> Object {
        one_of([ASCENDING, DESCENDING])
    }

    /// The order of a query; by family name and ascending for invalid values.
    pub(crate) fn parse(sort: Option<&str>, order: Option<&str>) -> Self {
        let named = SORT_KEYS.iter().find(|(name, _)| sort == Some(*name));
        let key = named.map_or(SortKey::Family, |(_, key)| *key);
        Self(Order {
            key,
            descending: order == Some(DESCENDING),
        })
    }

    /// The URL of the list in this order.
    pub(crate) fn href(self) -> String {
        let named = SORT_KEYS.iter().find(|(_, key)| *key == self.0.key);
        let sort = named.map_or("", |(name, _)| *name);
        let order = if self.0.descending {
            DESCENDING
        } else {
            ASCENDING
        };
        format!("/patients?sort={sort}&order={order}")
    }

    /// The headings of a list in this order. The link of the sorted column reverses the order.
    pub(crate) fn headings(self) -> Vec<Heading> {
        let mut headings = plain_headings();
        for (class, key) in [("family", SortKey::Family), ("born", SortKey::BirthDate)] {
            let sorted = self.0.key == key;
            let target = Self(Order {
                key,
                descending: sorted && !self.0.descending,
            });
            for heading in headings.iter_mut().filter(|heading| heading.class == class) {
                heading.href = Some(target.href());
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

/// The headings of a table without links for sorting.
pub(crate) fn plain_headings() -> Vec<Heading> {
    let names = [
        ("Family name", "family"),
        ("Given name", "given"),
        ("Birth date", "born"),
    ];
    let others = COLUMNS.iter().map(|it| (it.heading, it.class));
    names
        .into_iter()
        .chain(others)
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
    fn the_link_of_the_sorted_column_reverses_the_order() {
        let headings = Sorting::parse(Some("family"), Some("asc")).headings();
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
    fn an_invalid_order_is_by_family_name() {
        let sorting = Sorting::parse(Some("ssn"), Some("sideways"));
        assert_eq!(
            sorting.0,
            Order {
                key: SortKey::Family,
                descending: false
            }
        );
    }
}
