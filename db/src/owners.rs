//! Table `owners`: one row for each scope, inserted with its key and locked by every write to the scope.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::OwnerKind;
use phi_types::OwnerState;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::columns::OwnerHeads;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;

table! {
    /// The owner of a scope. A caller refuses if the row is missing, and never treats the owner as new.
    pub struct OwnerRow: OWNERS, row row_id, select select_owners {
        /// The organization.
        1 organization: OrganizationId,
        /// The kind of the owner.
        2 owner_kind: OwnerKind,
        /// The owner's id.
        3 owner: [u8; 16],
        /// The row's id, to which the sealed column is bound.
        4 row_id: RowId,
        /// The state: live or destroyed.
        5 state: OwnerState,
        /// The number of legal holds.
        6 holds: u32,
        /// The version of the current scope key.
        7 key_version: u32,
        /// The id of the event that recorded the destruction.
        8 tombstone: Option<Uuid>,
        /// The latest audit year that has a key; only of an organization.
        9 audit_year: Option<u16>,
        /// For each resource type the count and multiset hash of the current heads, sealed in the owner's scope.
        10 heads: Sealed<OwnerHeads>,
    }
}

impl OwnerRow {
    /// Whether this is the row of `owner`.
    fn is(&self, organization: OrganizationId, owner: &Owner) -> bool {
        self.organization == organization
            && self.owner_kind == owner.kind()
            && self.owner == owner.id(organization)
    }
}

impl Database {
    /// The row of an owner.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn owner(
        &self,
        organization: OrganizationId,
        owner: &Owner,
    ) -> Result<Option<OwnerRow>, Error> {
        let record = select_owners!(
            "WHERE t.organization = ? AND t.owner_kind = ? AND t.owner = ?",
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
        )
        .fetch_optional(&self.pool)
        .await?;
        let row = record.map(OwnerRow::try_from).transpose()?;
        row.map(|row| ensure("owners", row, |row| row.is(organization, owner)))
            .transpose()
    }
}

impl Transaction {
    /// The row of an owner, locked until the transaction ends.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lock_owner(
        &mut self,
        organization: OrganizationId,
        owner: &Owner,
    ) -> Result<Option<OwnerRow>, Error> {
        let record = select_owners!(
            "WHERE t.organization = ? AND t.owner_kind = ? AND t.owner = ? FOR UPDATE",
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
        )
        .fetch_optional(&mut *self.inner)
        .await?;
        let row = record.map(OwnerRow::try_from).transpose()?;
        row.map(|row| ensure("owners", row, |row| row.is(organization, owner)))
            .transpose()
    }

    /// Inserts owners.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] if one of them exists.
    pub async fn insert_owners(&mut self, rows: &[OwnerRow]) -> Result<(), Error> {
        self.insert(rows).await
    }

    /// Updates an owner. Guarded: `before` is the MAC of the row as it was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
    pub async fn update_owner(&mut self, row: &OwnerRow, before: &[u8; 32]) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE owners SET state = ?, holds = ?, key_version = ?, tombstone = ?, audit_year = ?, heads = ?,
                               mac_key = ?, mac = ?
             WHERE organization = ? AND owner_kind = ? AND owner = ? AND mac = ?",
            row.state.code(),
            row.holds,
            row.key_version,
            row.tombstone,
            row.audit_year,
            row.heads.as_bytes(),
            row.mac.key().uuid(),
            &row.mac.as_bytes()[..],
            row.organization.uuid(),
            row.owner_kind.code(),
            &row.owner[..],
            &before[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }
}
