//! Table `people`: the people who can sign in.

use db_macros::table;
use phi_types::IndexToken;
use phi_types::OrganizationId;
use phi_types::PersonId;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::columns::PersonEmail;
use phi_types::columns::PersonName;
use time::OffsetDateTime;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;
use crate::requested::ensure_all;

table! {
    /// A person who can sign in.
    pub struct PersonRow: PEOPLE, row row_id, select select_people {
        /// The organization that the person works for.
        1 organization: OrganizationId,
        /// The person.
        2 id: PersonId,
        /// The row's id, to which the sealed columns are bound.
        3 row_id: RowId,
        /// Blind index token of the e-mail address, under the system's index key.
        4 email_token: IndexToken,
        /// E-mail address, sealed in organization scope.
        5 email: Sealed<PersonEmail>,
        /// Name, sealed in organization scope.
        6 name: Sealed<PersonName>,
        /// Role, as the policy table names it.
        7 role: String,
        /// Whether the person may sign in.
        8 active: bool,
        /// The time at which the person was added.
        9 created_at: OffsetDateTime,
        /// The time before which sessions and tokens of the person were authenticated that are not in force any more.
        10 sessions_since: Option<OffsetDateTime>,
    }
}

impl Database {
    /// The person, of any organization, whose sign-in address has this token.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn person_by_email(&self, token: IndexToken) -> Result<Option<PersonRow>, Error> {
        let record = select_people!("WHERE t.email_token = ?", &token.as_bytes()[..])
            .fetch_optional(&self.pool)
            .await?;
        let row = record.map(PersonRow::try_from).transpose()?;
        row.map(|row| ensure("people", row, |row| row.email_token == token))
            .transpose()
    }

    /// One person of an organization.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn person(
        &self,
        organization: OrganizationId,
        id: PersonId,
    ) -> Result<Option<PersonRow>, Error> {
        let record = select_people!(
            "WHERE t.organization = ? AND t.id = ?",
            organization.uuid(),
            id.uuid(),
        )
        .fetch_optional(&self.pool)
        .await?;
        let row = record.map(PersonRow::try_from).transpose()?;
        row.map(|row| {
            ensure("people", row, |row| {
                row.organization == organization && row.id == id
            })
        })
        .transpose()
    }

    /// The people of an organization, the oldest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn people(&self, organization: OrganizationId) -> Result<Vec<PersonRow>, Error> {
        let records = select_people!(
            "WHERE t.organization = ? ORDER BY t.created_at, t.id",
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(PersonRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested = |row: &PersonRow| row.organization == organization;
        ensure_all("people", rows, |row| row.id, is_requested)
    }
}

impl Transaction {
    /// One person of an organization, locked until the transaction ends.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lock_person(
        &mut self,
        organization: OrganizationId,
        id: PersonId,
    ) -> Result<Option<PersonRow>, Error> {
        let record = select_people!(
            "WHERE t.organization = ? AND t.id = ? FOR UPDATE",
            organization.uuid(),
            id.uuid(),
        )
        .fetch_optional(&mut *self.inner)
        .await?;
        let row = record.map(PersonRow::try_from).transpose()?;
        row.map(|row| {
            ensure("people", row, |row| {
                row.organization == organization && row.id == id
            })
        })
        .transpose()
    }

    /// Inserts a person.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] for an e-mail address in use.
    pub async fn insert_person(&mut self, row: &PersonRow) -> Result<(), Error> {
        self.insert(std::slice::from_ref(row)).await
    }

    /// Stores a person's role and state. Guarded: `before` is the MAC of the row as it was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
    pub async fn update_person(&mut self, row: &PersonRow, before: &[u8; 32]) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE people SET role = ?, active = ?, sessions_since = ?, mac_key = ?, mac = ?
             WHERE organization = ? AND id = ? AND mac = ?",
            row.role,
            row.active,
            row.sessions_since,
            row.mac.key().uuid(),
            &row.mac.as_bytes()[..],
            row.organization.uuid(),
            row.id.uuid(),
            &before[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }
}
