//! Table `clients`: machine clients, with the public keys by which each signs in and the scopes that it may be granted.
//!
//! A client acts as the person of the same id. It is removed by a column of its row, not by deleting the row, so that the
//! scrubber finds by its digest a row that was replaced by an older state.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::PersonId;
use phi_types::RowId;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;
use crate::requested::ensure_all;

table! {
    /// A machine client.
    pub struct ClientRow: CLIENTS, row row_id, select select_clients {
        /// The organization.
        1 organization: OrganizationId,
        /// The client id, which is the id of the person that the client acts as.
        2 person: PersonId,
        /// The row's id.
        3 row_id: RowId,
        /// The scopes that may be granted, separated by spaces.
        4 scopes: String,
        /// The public keys: a JSON Web Key Set.
        5 jwks: String,
        /// The time of registration.
        6 created_at: OffsetDateTime,
        /// The administrator that registered it.
        7 created_by: Option<Uuid>,
        /// The time at which the keys were registered.
        8 keys_at: OffsetDateTime,
        /// The time of removal.
        9 ended_at: Option<OffsetDateTime>,
    }
}

impl Database {
    /// The client with this id, of any organization.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn client(&self, id: PersonId) -> Result<Option<ClientRow>, Error> {
        let record = select_clients!("WHERE t.person = ?", id.uuid())
            .fetch_optional(&self.pool)
            .await?;
        let row = record.map(ClientRow::try_from).transpose()?;
        row.map(|row| ensure("clients", row, |row| row.person == id))
            .transpose()
    }

    /// The clients of an organization that were not removed, the oldest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn clients(&self, organization: OrganizationId) -> Result<Vec<ClientRow>, Error> {
        let records = select_clients!(
            "WHERE t.organization = ? AND t.ended_at IS NULL ORDER BY t.created_at, t.person",
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(ClientRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested =
            |row: &ClientRow| row.organization == organization && row.ended_at.is_none();
        ensure_all("clients", rows, |row| row.person, is_requested)
    }
}

impl Transaction {
    /// One client of an organization, locked until the transaction ends.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lock_client(
        &mut self,
        organization: OrganizationId,
        id: PersonId,
    ) -> Result<Option<ClientRow>, Error> {
        let record = select_clients!(
            "WHERE t.organization = ? AND t.person = ? FOR UPDATE",
            organization.uuid(),
            id.uuid(),
        )
        .fetch_optional(&mut *self.inner)
        .await?;
        let row = record.map(ClientRow::try_from).transpose()?;
        row.map(|row| {
            ensure("clients", row, |row| {
                row.organization == organization && row.person == id
            })
        })
        .transpose()
    }

    /// Inserts a client.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] for a client id in use.
    pub async fn insert_client(&mut self, row: &ClientRow) -> Result<(), Error> {
        self.insert(std::slice::from_ref(row)).await
    }

    /// Stores a client's scopes, keys and end. Guarded: `before` is the MAC of the row as it was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
    pub async fn update_client(&mut self, row: &ClientRow, before: &[u8; 32]) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE clients SET scopes = ?, jwks = ?, keys_at = ?, ended_at = ?, mac_key = ?, mac = ?
             WHERE organization = ? AND person = ? AND mac = ?",
            row.scopes,
            row.jwks,
            row.keys_at,
            row.ended_at,
            row.mac.key().uuid(),
            &row.mac.as_bytes()[..],
            row.organization.uuid(),
            row.person.uuid(),
            &before[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }
}
