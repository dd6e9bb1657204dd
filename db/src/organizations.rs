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
        /// `care-team` if its clinicians reach the charts of their patients only; none if they reach all.
        4 chart_access: Option<String>,
    }
}

impl OrganizationRow {
    /// Whether its clinicians reach all charts. Any policy but none limits them, also one of a later release.
    #[must_use]
    pub const fn opens_all_charts(&self) -> bool {
        self.chart_access.is_none()
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

    /// One organization, locked until the transaction ends.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lock_organization(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Option<OrganizationRow>, Error> {
        let record =
            select_organizations!("WHERE t.organization = ? FOR UPDATE", organization.uuid())
                .fetch_optional(&mut *self.inner)
                .await?;
        let row = record.map(OrganizationRow::try_from).transpose()?;
        row.map(|row| ensure("organizations", row, |row| row.organization == organization))
            .transpose()
    }

    /// Stores an organization's policy of access to charts. Guarded: `before` is the MAC of the row as it was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
    pub async fn update_organization(
        &mut self,
        row: &OrganizationRow,
        before: &[u8; 32],
    ) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE organizations SET chart_access = ?, mac_key = ?, mac = ? WHERE organization = ? AND mac = ?",
            row.chart_access,
            row.mac.key().uuid(),
            &row.mac.as_bytes()[..],
            row.organization.uuid(),
            &before[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }
}
