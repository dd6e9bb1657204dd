//! The list of rows that an audit event says were written.

use audit::WrittenRow;
use phi::AuthenticatedRow;
use phi::row_digest;

/// A row as the event of its transaction lists it: table tag, row id and digest.
pub(crate) fn written<R: AuthenticatedRow>(row: &R) -> WrittenRow {
    WrittenRow {
        table: R::TABLE.tag,
        row: row.row_id(),
        digest: row_digest(row),
    }
}
