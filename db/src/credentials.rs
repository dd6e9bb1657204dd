//! Table `credentials`: passwords.

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
    /// Inserts a person's credential.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] if the person has one.
    pub async fn insert_credential(&mut self, row: &CredentialRow) -> Result<(), Error> {
        self.insert(std::slice::from_ref(row)).await
    }
}
