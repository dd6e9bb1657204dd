//! Binding answers to questions: a row that was not requested is never returned.

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

/// The rows, if each of them was requested and none is there twice: `key` is what a row is requested by.
pub(crate) fn ensure_all<R, K: std::hash::Hash + Eq>(
    table: &'static str,
    rows: Vec<R>,
    key: impl Fn(&R) -> K,
    is_requested: impl Fn(&R) -> bool,
) -> Result<Vec<R>, Error> {
    let mut seen = std::collections::HashSet::with_capacity(rows.len());
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
pub(crate) fn json_ids(ids: impl IntoIterator<Item = Uuid>) -> String {
    let list: Vec<String> = ids
        .into_iter()
        .map(|id| format!("\"{}\"", id.simple()))
        .collect();
    format!("[{}]", list.join(","))
}
