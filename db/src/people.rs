//! Table `people`: who there is, and in what role.

use phi::{AuthenticatedRow, BlindIndex, OrganizationId, RowEncoder, RowId, RowMac, Sealed};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::columns::{bytes16, bytes32};
use crate::{Database, Error, Transaction};

/// A person who can sign in.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PersonId(pub Uuid);

/// A person, as stored. Nothing in it is to be believed before its MAC is checked.
#[derive(Clone, Debug)]
pub struct PersonRow {
    /// The organization that the person works for.
    pub organization: OrganizationId,
    /// The person.
    pub id: PersonId,
    /// What the sealed columns are bound to.
    pub row_id: RowId,
    /// Blind index of the e-mail address, under the system's index key.
    pub email_index: BlindIndex,
    /// E-mail address, sealed in organization scope.
    pub email: Sealed<String>,
    /// Name, sealed in organization scope.
    pub name: Sealed<String>,
    /// Role, in the access table's words.
    pub role: String,
    /// Whether the person may sign in.
    pub active: bool,
    /// When the person was added.
    pub created_at: OffsetDateTime,
    /// Under the organization's authorization key.
    pub mac: RowMac,
}

impl AuthenticatedRow for PersonRow {
    const TABLE: &'static str = "people";

    fn encode(&self, row: &mut RowEncoder) {
        row.uuid(self.organization.uuid());
        row.uuid(self.id.0);
        row.uuid(self.row_id.uuid());
        row.bytes(self.email_index.as_bytes());
        row.bytes(self.email.as_bytes());
        row.bytes(self.name.as_bytes());
        row.text(&self.role);
        row.u64(u64::from(self.active));
        row.time(self.created_at);
    }

    fn mac(&self) -> &RowMac {
        &self.mac
    }
}

/// What the queries below select.
struct Stored {
    organization: Uuid,
    id: Uuid,
    row_id: Uuid,
    email_index: Vec<u8>,
    email: Vec<u8>,
    name: Vec<u8>,
    role: String,
    active: bool,
    created_at: OffsetDateTime,
    mac: Vec<u8>,
}

impl TryFrom<Stored> for PersonRow {
    type Error = Error;

    fn try_from(row: Stored) -> Result<Self, Error> {
        Ok(Self {
            organization: row.organization.into(),
            id: PersonId(row.id),
            row_id: row.row_id.into(),
            email_index: BlindIndex::from_bytes(bytes16("people", &row.email_index)?),
            email: Sealed::from_bytes(row.email),
            name: Sealed::from_bytes(row.name),
            role: row.role,
            active: row.active,
            created_at: row.created_at,
            mac: RowMac::from_bytes(bytes32("people", &row.mac)?),
        })
    }
}

impl Database {
    /// The person with this blind-indexed e-mail address, of whatever organization.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn person_by_email(&self, index: BlindIndex) -> Result<Option<PersonRow>, Error> {
        sqlx::query_as!(
            Stored,
            r#"SELECT organization AS "organization: Uuid", id AS "id: Uuid", row_id AS "row_id: Uuid",
                      email_index, email, name, role AS "role: String", active AS "active: bool",
                      created_at AS "created_at: OffsetDateTime", mac
               FROM people WHERE email_index = ?"#,
            &index.as_bytes()[..],
        )
        .fetch_optional(&self.pool)
        .await?
        .map(PersonRow::try_from)
        .transpose()
    }

    /// One person of an organization.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn person(
        &self,
        organization: OrganizationId,
        id: PersonId,
    ) -> Result<Option<PersonRow>, Error> {
        sqlx::query_as!(
            Stored,
            r#"SELECT organization AS "organization: Uuid", id AS "id: Uuid", row_id AS "row_id: Uuid",
                      email_index, email, name, role AS "role: String", active AS "active: bool",
                      created_at AS "created_at: OffsetDateTime", mac
               FROM people WHERE organization = ? AND id = ?"#,
            organization.uuid(),
            id.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .map(PersonRow::try_from)
        .transpose()
    }

    /// Everybody of an organization, oldest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn people(&self, organization: OrganizationId) -> Result<Vec<PersonRow>, Error> {
        sqlx::query_as!(
            Stored,
            r#"SELECT organization AS "organization: Uuid", id AS "id: Uuid", row_id AS "row_id: Uuid",
                      email_index, email, name, role AS "role: String", active AS "active: bool",
                      created_at AS "created_at: OffsetDateTime", mac
               FROM people WHERE organization = ? ORDER BY created_at, id"#,
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(PersonRow::try_from)
        .collect()
    }
}

impl Transaction {
    /// Adds a person.
    ///
    /// # Errors
    /// [`Error::AlreadyThere`] for an e-mail address in use.
    pub async fn insert_person(&mut self, row: &PersonRow) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO people (organization, id, row_id, email_index, email, name, role, active, created_at, mac)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row.organization.uuid(),
            row.id.0,
            row.row_id.uuid(),
            &row.email_index.as_bytes()[..],
            row.email.as_bytes(),
            row.name.as_bytes(),
            row.role,
            row.active,
            row.created_at,
            &row.mac.as_bytes()[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
