//! Table `organizations`: the tenants.

use db_macros::table;
use phi_types::OrganizationId;
use time::OffsetDateTime;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;

table! {
    /// An organization: the tenant that every other row belongs to.
    pub struct OrganizationRow: ORGANIZATIONS, row organization, select select_organizations {
        /// The organization's id.
        1 organization: OrganizationId,
        /// The public name.
        2 name: String,
        /// The time at which the organization was added.
        3 created_at: OffsetDateTime,
    }
}

impl Database {
    /// The organization of exactly this name, except for trailing spaces.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn organization_named(&self, name: &str) -> Result<Option<OrganizationRow>, Error> {
        let record = select_organizations!("WHERE t.name = ?", name)
            .fetch_optional(&self.pool)
            .await?;
        let row = record.map(OrganizationRow::try_from).transpose()?;
        // The column's collation compares code points and ignores trailing spaces, on both servers.
        row.map(|row| {
            ensure("organizations", row, |row| {
                row.name.trim_end_matches(' ') == name.trim_end_matches(' ')
            })
        })
        .transpose()
    }

    /// One organization.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn organization(
        &self,
        organization: OrganizationId,
    ) -> Result<Option<OrganizationRow>, Error> {
        let record = select_organizations!("WHERE t.organization = ?", organization.uuid())
            .fetch_optional(&self.pool)
            .await?;
        let row = record.map(OrganizationRow::try_from).transpose()?;
        row.map(|row| ensure("organizations", row, |row| row.organization == organization))
            .transpose()
    }
}

impl Transaction {
    /// Inserts an organization.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] for a name in use.
    pub async fn insert_organization(&mut self, row: &OrganizationRow) -> Result<(), Error> {
        self.insert(std::slice::from_ref(row)).await
    }
}
