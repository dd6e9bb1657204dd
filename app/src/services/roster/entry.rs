//! One patient in the roster.

use db::{DemographicsRow, RosterKey};
use phi::{OpenError, Phi, Scope, columns};
use time::Date;
use time::macros::format_description;
use zeroize::Zeroizing;

use fhir::search::PatientQuery;

/// What a patient is found by, wiped when dropped.
pub(super) struct Entry {
    /// Which row it was made of.
    pub(super) key: RosterKey,
    family: Zeroizing<String>,
    given: Zeroizing<String>,
    birth_date: Phi<Option<String>>,
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
        Ok(Self {
            key: RosterKey {
                patient: row.patient,
                row_id: row.row_id,
            },
            family: folded(family.expose().as_deref().unwrap_or_default()),
            given: folded(given.expose().as_deref().unwrap_or_default()),
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
        let family = |wanted: &Zeroizing<String>| begins(&self.family, wanted);
        let given = |wanted: &Zeroizing<String>| begins(&self.given, wanted);
        query.family.iter().all(family)
            && query.given.iter().all(given)
            && query
                .name
                .iter()
                .all(|wanted| family(wanted) || given(wanted))
            && query
                .birth_dates
                .iter()
                .all(|wanted| self.born().is_some_and(|born| wanted.matches(born)))
    }

    fn born(&self) -> Option<Date> {
        Date::parse(
            self.birth_date(),
            format_description!("[year]-[month]-[day]"),
        )
        .ok()
    }
}

/// Whether `name`, or a word of it, begins with `wanted`.
fn begins(name: &str, wanted: &str) -> bool {
    let wanted = folded(wanted);
    let wanted = wanted.trim();
    name.starts_with(wanted)
        || name
            .split([' ', '-', '\''])
            .any(|word| word.starts_with(wanted))
}

/// A name as it is compared: in lower case, without the commonest accents.
fn folded(name: &str) -> Zeroizing<String> {
    let mut folded = Zeroizing::new(String::with_capacity(name.len()));
    for letter in name.chars().flat_map(char::to_lowercase) {
        match plain(letter) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(letter),
        }
    }
    folded
}

/// The plain spelling of an accented Latin letter, if it is one.
fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => "a",
        'ç' => "c",
        'è' | 'é' | 'ê' | 'ë' => "e",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'ñ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => "o",
        'ù' | 'ú' | 'û' | 'ü' => "u",
        'ý' | 'ÿ' => "y",
        'ß' => "ss",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_matches_any_word_of_a_name_whatever_its_case_and_accents() {
        let name = folded("Muñoz-García");
        assert!(begins(&name, "munoz") && begins(&name, "GAR") && begins(&name, "Muñ"));
        assert!(!begins(&name, "oz"));
    }
}
