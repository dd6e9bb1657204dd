//! One patient in the roster.

use db::{DemographicsRow, RosterKey};
use phi::{OpenError, Phi, Scope, columns};
use zeroize::Zeroizing;

use fhir::search::{PatientQuery, SearchableName};
use fhir::{DateSpan, PatientName, fold_name};

/// What a patient is found by, wiped when dropped.
pub(super) struct Entry {
    /// Which row it was made of.
    pub(super) key: RosterKey,
    family: Zeroizing<String>,
    given: Zeroizing<String>,
    birth_date: Phi<Option<String>>,
    names: [SearchableName; 1],
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry(..)")
    }
}

impl Entry {
    /// Opens a row that was verified.
    pub(super) fn open(scope: &Scope, row: &DemographicsRow) -> Result<Self, OpenError> {
        let id = row.row_id;
        let family = scope.open(&columns::DEMOGRAPHICS_FAMILY, id, &row.family)?;
        let given = scope.open(&columns::DEMOGRAPHICS_GIVEN, id, &row.given)?;
        let text = |field: &Phi<Option<String>>| {
            let text = field.expose().as_ref();
            text.map(|text| Zeroizing::new(text.clone()))
        };
        let name = PatientName {
            family: text(&family),
            given: text(&given).into_iter().collect(),
            ..PatientName::default()
        };
        Ok(Self {
            names: [SearchableName::new(&name)],
            key: RosterKey {
                patient: row.patient,
                row_id: row.row_id,
            },
            family: fold_name(family.expose().as_deref().unwrap_or_default()),
            given: fold_name(given.expose().as_deref().unwrap_or_default()),
            birth_date: scope.open(&columns::DEMOGRAPHICS_BIRTH_DATE, id, &row.birth_date)?,
        })
    }

    /// What the order by name goes by; ends with the id, so that it is the same every time.
    pub(super) fn by_name(&self) -> (&str, &str, u128) {
        (&self.family, &self.given, self.key.patient.uuid().as_u128())
    }

    /// What the order by birth date goes by: ISO dates sort as text.
    pub(super) fn birth_date(&self) -> &str {
        self.birth_date.expose().as_deref().unwrap_or_default()
    }

    /// Whether names and birth date match.
    pub(super) fn matches(&self, query: &PatientQuery) -> bool {
        query.matches_names(&self.names) && query.matches_birth_date(self.born())
    }

    fn born(&self) -> Option<DateSpan> {
        DateSpan::parse(self.birth_date())
    }
}
