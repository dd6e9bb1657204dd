//! Table `credentials`: what a person proves themselves with.

use phi::{AuthenticatedRow, OrganizationId, RowEncoder, RowId, RowMac, Sealed};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::columns::bytes32;
use crate::{Database, Error, PersonId, Transaction};

/// A person's password, as stored.
#[derive(Clone, Debug)]
pub struct CredentialRow {
    /// The organization.
    pub organization: OrganizationId,
    /// Whose password it is.
    pub person: PersonId,
    /// What the sealed column is bound to.
    pub row_id: RowId,
    /// Argon2id PHC string, sealed in organization scope.
    pub password: Sealed<String>,
    /// When it was set.
    pub changed_at: OffsetDateTime,
    /// Under the organization's authorization key.
    pub mac: RowMac,
}

impl AuthenticatedRow for CredentialRow {
    const TABLE: &'static str = "credentials";

    fn encode(&self, row: &mut RowEncoder) {
        row.uuid(self.organization.uuid());
        row.uuid(self.person.0);
        row.uuid(self.row_id.uuid());
        row.bytes(self.password.as_bytes());
        row.time(self.changed_at);
    }

    fn mac(&self) -> &RowMac {
        &self.mac
    }
}

impl Database {
    /// A person's credential.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn credential(
        &self,
        organization: OrganizationId,
        person: PersonId,
    ) -> Result<Option<CredentialRow>, Error> {
        let row = sqlx::query!(
            r#"SELECT row_id AS "row_id: Uuid", password, changed_at AS "changed_at: OffsetDateTime", mac
               FROM credentials WHERE organization = ? AND person = ?"#,
            organization.uuid(),
            person.0,
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(CredentialRow {
                organization,
                person,
                row_id: row.row_id.into(),
                password: Sealed::from_bytes(row.password),
                changed_at: row.changed_at,
                mac: RowMac::from_bytes(bytes32("credentials", &row.mac)?),
            })
        })
        .transpose()
    }
}

impl Transaction {
    /// Adds a person's credential.
    ///
    /// # Errors
    /// [`Error::AlreadyThere`] where the person has one.
    pub async fn insert_credential(&mut self, row: &CredentialRow) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO credentials (organization, person, row_id, password, changed_at, mac)
             VALUES (?, ?, ?, ?, ?, ?)",
            row.organization.uuid(),
            row.person.0,
            row.row_id.uuid(),
            row.password.as_bytes(),
            row.changed_at,
            &row.mac.as_bytes()[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
