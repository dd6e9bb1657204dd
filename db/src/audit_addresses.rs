//! Table `audit_addresses`: what a pseudonym in the audit trail stood for on a day.

use phi::{OrganizationId, RowId, Sealed};
use time::Date;

use crate::{Database, Error};

/// An address behind its pseudonym, as stored.
#[derive(Clone, Debug)]
pub struct AddressRow {
    /// The organization.
    pub organization: OrganizationId,
    /// The day, in UTC.
    pub day: Date,
    /// What events say in the address's place.
    pub pseudonym: [u8; 16],
    /// What the sealed column is bound to.
    pub row_id: RowId,
    /// The address, sealed in audit-year scope.
    pub address: Sealed<String>,
}

impl Database {
    /// Keeps an address, unless it is there for that day already.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn keep_address(&self, row: &AddressRow) -> Result<(), Error> {
        let inserted = sqlx::query!(
            "INSERT INTO audit_addresses (organization, day, pseudonym, row_id, address) VALUES (?, ?, ?, ?, ?)",
            row.organization.uuid(),
            row.day,
            &row.pseudonym[..],
            row.row_id.uuid(),
            row.address.as_bytes(),
        )
        .execute(&self.pool)
        .await
        .map_err(Error::from);
        match inserted {
            Ok(_) | Err(Error::AlreadyThere(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
