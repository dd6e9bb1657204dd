//! Table `credentials`: passwords, and whether a second factor is required beside them.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::PersonId;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::columns::CredentialPassword;
use time::OffsetDateTime;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;

table! {
    /// A person's password.
    pub struct CredentialRow: CREDENTIALS, row row_id, select select_credentials {
        /// The organization.
        1 organization: OrganizationId,
        /// The person.
        2 person: PersonId,
        /// The row's id, to which the sealed column is bound.
        3 row_id: RowId,
        /// Argon2id PHC string, sealed in organization scope.
        4 password: Sealed<CredentialPassword>,
        /// The time at which the password was set.
        5 changed_at: OffsetDateTime,
        /// The time at which the person set up a second factor: from then on the password alone is refused.
        6 second_factor_at: Option<OffsetDateTime>,
        /// The number of changes of the person's authenticators: of two at once, one fails.
        7 authenticator_changes: Option<u32>,
        /// The time before which recovery codes were made that are not accepted any more.
        8 recovery_codes_at: Option<OffsetDateTime>,
    }
}

impl Database {
    /// A person's credential.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn credential(
        &self,
        organization: OrganizationId,
        person: PersonId,
    ) -> Result<Option<CredentialRow>, Error> {
        let record = select_credentials!(
            "WHERE t.organization = ? AND t.person = ?",
            organization.uuid(),
            person.uuid(),
        )
        .fetch_optional(&self.pool)
        .await?;
        let row = record.map(CredentialRow::try_from).transpose()?;
        row.map(|row| {
            ensure("credentials", row, |row| {
                row.organization == organization && row.person == person
            })
        })
        .transpose()
    }
}

impl Transaction {
    /// A person's credential, locked until the transaction ends.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lock_credential(
        &mut self,
        organization: OrganizationId,
        person: PersonId,
    ) -> Result<Option<CredentialRow>, Error> {
        let record = select_credentials!(
            "WHERE t.organization = ? AND t.person = ? FOR UPDATE",
            organization.uuid(),
            person.uuid(),
        )
        .fetch_optional(&mut *self.inner)
        .await?;
        let row = record.map(CredentialRow::try_from).transpose()?;
        row.map(|row| {
            ensure("credentials", row, |row| {
                row.organization == organization && row.person == person
            })
        })
        .transpose()
    }

    /// Inserts a person's credential.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] if the person has one.
    pub async fn insert_credential(&mut self, row: &CredentialRow) -> Result<(), Error> {
        self.insert(std::slice::from_ref(row)).await
    }

    /// Stores a person's password and whether a second factor is required. Guarded: `before` is the MAC of the row as it
    /// was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
    pub async fn update_credential(
        &mut self,
        row: &CredentialRow,
        before: &[u8; 32],
    ) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE credentials SET password = ?, changed_at = ?, second_factor_at = ?, authenticator_changes = ?,
                    recovery_codes_at = ?, mac_key = ?, mac = ?
             WHERE organization = ? AND person = ? AND mac = ?",
            row.password.as_bytes(),
            row.changed_at,
            row.second_factor_at,
            row.authenticator_changes,
            row.recovery_codes_at,
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
