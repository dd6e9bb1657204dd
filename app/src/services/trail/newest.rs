//! Comparison of a locked row with the newest digest that the audit log has for it.

use db::Transaction;
use phi::AuthenticatedRow;
use phi::OpenError;
use phi::OrganizationId;
use phi::row_digest;
use uuid::Uuid;

use super::TrailError;
use crate::services::newest_row;

/// Verifies that a locked row is the newest on record.
///
/// # Errors
///
/// [`db::Error::Conflict`] if there is none; a report of tampering if it is not.
pub(crate) async fn ensure_newest<R: AuthenticatedRow>(
    transaction: &mut Transaction,
    stored: Option<&R>,
) -> Result<(), TrailError> {
    let row = stored.ok_or(db::Error::Conflict)?;
    ensure_digest::<R>(
        transaction,
        row.organization(),
        row.row_id(),
        row_digest(row),
    )
    .await
}

/// Verifies that a digest is the newest on record for a row, which must be locked.
pub(crate) async fn ensure_digest<R: AuthenticatedRow>(
    transaction: &mut Transaction,
    organization: OrganizationId,
    row: Uuid,
    digest: [u8; 32],
) -> Result<(), TrailError> {
    let newest = transaction.newest_digest(organization, R::TABLE.tag, row);
    let newest = newest.await?;
    Ok(
        newest_row::ensure_newest::<R>(organization, row, digest, newest)
            .map_err(OpenError::from)?,
    )
}
