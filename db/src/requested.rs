//! The check that the rows of a result are those that were requested: the database is not trusted to filter.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::hash::Hash;

use uuid::Uuid;

use crate::Error;

/// The row, if it is the requested one.
pub(crate) fn ensure<R>(
    table: &'static str,
    row: R,
    is_requested: impl FnOnce(&R) -> bool,
) -> Result<R, Error> {
    if is_requested(&row) {
        Ok(row)
    } else {
        Err(Error::NotRequested(table))
    }
}

/// The rows, if each of them was requested and no two have the same `key`.
pub(crate) fn ensure_all<R, K: Hash + Eq>(
    table: &'static str,
    rows: Vec<R>,
    key: impl Fn(&R) -> K,
    is_requested: impl Fn(&R) -> bool,
) -> Result<Vec<R>, Error> {
    let mut seen = HashSet::with_capacity(rows.len());
    if rows
        .iter()
        .all(|row| is_requested(row) && seen.insert(key(row)))
    {
        Ok(rows)
    } else {
        Err(Error::NotRequested(table))
    }
}

/// A list of ids as a JSON array of hexadecimal strings, for `JSON_TABLE`.
///
/// The list contains each id once: a join with a repeated id would return one row twice, which [`ensure_all`] cannot
/// distinguish from a database that repeats a row.
pub(crate) fn json_ids(ids: impl IntoIterator<Item = Uuid>) -> String {
    let distinct: BTreeSet<Uuid> = ids.into_iter().collect();
    let list: Vec<String> = distinct
        .into_iter()
        .map(|id| format!("\"{}\"", id.simple()))
        .collect();
    format!("[{}]", list.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_listed_twice_is_requested_once() {
        let [one, other] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let list = json_ids([other, one, other]);
        assert_eq!(
            list,
            r#"["00000000000000000000000000000001","00000000000000000000000000000002"]"#
        );
    }

    #[test]
    fn a_row_that_was_not_requested_or_is_there_twice_is_refused() {
        let is_requested = |row: &u8| *row < 10;
        let listed = |rows: &[u8]| ensure_all("t", rows.to_vec(), |row| *row, is_requested);
        assert_eq!(listed(&[1, 2]).unwrap(), [1, 2]);
        for rows in [&[1, 10][..], &[1, 1][..]] {
            assert!(matches!(listed(rows), Err(Error::NotRequested("t"))));
        }
        assert!(ensure("t", 1, is_requested).is_ok());
        assert!(matches!(
            ensure("t", 10, is_requested),
            Err(Error::NotRequested("t"))
        ));
    }
}
