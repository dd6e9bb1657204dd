//! Table `audit_addresses`: the client addresses of the audit trail's pseudonyms, by day.

use phi_types::OrganizationId;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::columns::AuditAddress;
use time::Date;

use crate::Database;
use crate::Error;

/// A client address and its pseudonym.
#[derive(Clone, Debug)]
pub struct AddressRow {
    /// The organization.
    pub organization: OrganizationId,
    /// The day, in UTC.
    pub day: Date,
    /// The pseudonym, which events contain instead of the address.
    pub pseudonym: [u8; 16],
    /// The row's id, to which the sealed column is bound.
    pub row_id: RowId,
    /// The address, sealed in audit-year scope.
    pub address: Sealed<AuditAddress>,
}

impl Database {
    /// Stores an address, unless it is already stored for that day.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn store_address(&self, row: &AddressRow) -> Result<(), Error> {
        let inserted = sqlx::query!(
            "INSERT INTO audit_addresses (organization, day, pseudonym, row_id, address) VALUES (?, ?, ?, ?, ?)",
            row.organization.uuid(),
            row.day,
            &row.pseudonym[..],
            row.row_id.uuid(),
            row.address.as_bytes(),
        )
        .execute(self.writable().await?)
        .await
        .map_err(Error::from);
        match inserted {
            Ok(_) | Err(Error::UniqueViolation(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
