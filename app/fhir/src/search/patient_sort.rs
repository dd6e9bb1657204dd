//! The sort order of a search for patients.

/// The sort key of a search for patients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatientSortKey {
    /// Family name, then given names.
    #[default]
    Family,
    /// Given names, then family name.
    Given,
    /// Birth date, then family name and given names.
    BirthDate,
    /// Time of the last change.
    LastUpdated,
    /// Id.
    Id,
}

/// The sort order of a search for patients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatientSort {
    /// The sort key.
    pub key: PatientSortKey,
    /// The exact reverse of the ascending order.
    pub descending: bool,
}

/// The sort keys, each with the sequence of parameters that it stands for.
const ORDERS: [(PatientSortKey, &[&str]); 5] = [
    (PatientSortKey::Family, &["family", "given", "_id"]),
    (PatientSortKey::Given, &["given", "family", "_id"]),
    (
        PatientSortKey::BirthDate,
        &["birthdate", "family", "given", "_id"],
    ),
    (PatientSortKey::LastUpdated, &["_lastUpdated", "_id"]),
    (PatientSortKey::Id, &["_id"]),
];

impl PatientSort {
    /// Parses `_sort`: a key or the beginning of the sequence of an order, all ascending or all
    /// descending.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let keys: Vec<&str> = value.split(',').collect();
        let descending = keys.first()?.starts_with('-');
        let plain: Vec<&str> = keys
            .into_iter()
            .map(|key| {
                if descending {
                    key.strip_prefix('-')
                } else {
                    Some(key)
                }
            })
            .collect::<Option<_>>()?;
        let mut orders = ORDERS.iter();
        let (key, _) = orders.find(|(_, sequence)| sequence.starts_with(&plain))?;
        Some(Self {
            key: *key,
            descending,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_order_is_a_key_or_a_sequence_that_it_stands_for() {
        let sort = |key, descending| Some(PatientSort { key, descending });
        assert_eq!(
            PatientSort::parse("family"),
            sort(PatientSortKey::Family, false)
        );
        assert_eq!(
            PatientSort::parse("-birthdate"),
            sort(PatientSortKey::BirthDate, true)
        );
        assert_eq!(
            PatientSort::parse("given,family"),
            sort(PatientSortKey::Given, false)
        );
        assert_eq!(
            PatientSort::parse("-_lastUpdated,-_id"),
            sort(PatientSortKey::LastUpdated, true)
        );
        for refused in [
            "",
            "-",
            "name",
            "family,-given",
            "family,birthdate",
            "--family",
            "family,",
        ] {
            assert_eq!(PatientSort::parse(refused), None, "{refused}");
        }
    }
}
