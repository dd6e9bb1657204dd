//! Comparison of a stored row with the newest digest that the audit log has for it.

use phi::AuthenticatedRow;
use phi::OrganizationId;
use phi::Tampering;
use uuid::Uuid;

/// Verifies that a digest of a row is the newest on record. What locks the row must exclude events of concurrent writes.
///
/// # Errors
///
/// [`Tampering`] if it is not: the row was put back to an older state.
pub(crate) fn ensure_newest<R: AuthenticatedRow>(
    organization: OrganizationId,
    row: Uuid,
    digest: [u8; 32],
    newest: Option<[u8; 32]>,
) -> Result<(), Tampering> {
    if newest == Some(digest) {
        return Ok(());
    }
    let reason = "the row is not the newest on record: an older one was put back";
    Err(Tampering::report(
        R::TABLE.name,
        reason,
        organization,
        Some(row),
    ))
}
