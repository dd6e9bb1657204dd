//! Entries of the list of written rows that an audit event commits to.

use audit::WrittenRow;
use phi::AuthenticatedRow;
use phi::row_digest;

/// The entry of a row in the event of its transaction: table tag, row id and digest.
pub(crate) fn written_row<R: AuthenticatedRow>(row: &R) -> WrittenRow {
    WrittenRow {
        table: R::TABLE.tag,
        row: row.row_id(),
        digest: row_digest(row),
    }
}
