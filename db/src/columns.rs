//! Stored bytes to types of fixed length.

use uuid::Uuid;

use crate::Error;

/// The 32 bytes of a `BINARY(32)`.
pub(crate) fn bytes32(table: &'static str, bytes: &[u8]) -> Result<[u8; 32], Error> {
    bytes
        .try_into()
        .map_err(|_wrong_length| Error::Corrupt(table))
}

/// The 16 bytes of a `BINARY(16)`.
pub(crate) fn bytes16(table: &'static str, bytes: &[u8]) -> Result<[u8; 16], Error> {
    bytes
        .try_into()
        .map_err(|_wrong_length| Error::Corrupt(table))
}

/// A list of ids as a JSON array of hexadecimal strings, for `JSON_TABLE`.
pub(crate) fn json_ids(ids: impl IntoIterator<Item = Uuid>) -> String {
    let list: Vec<String> = ids
        .into_iter()
        .map(|id| format!("\"{}\"", id.simple()))
        .collect();
    format!("[{}]", list.join(","))
}
