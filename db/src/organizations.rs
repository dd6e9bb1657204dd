//! Table `organizations`.

use phi::OrganizationId;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Database, Error};

/// An organization: the tenant that every other row belongs to.
#[derive(Clone, Debug)]
pub struct OrganizationRow {
    /// Its id.
    pub id: OrganizationId,
    /// Its public name.
    pub name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

impl Database {
    /// Adds an organization.
    ///
    /// # Errors
    /// [`Error::AlreadyThere`] for a name in use.
    pub async fn insert_organization(&self, row: &OrganizationRow) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO organizations (id, name, created_at) VALUES (?, ?, ?)",
            row.id.uuid(),
            row.name,
            row.created_at,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The organization of this name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn organization_named(&self, name: &str) -> Result<Option<OrganizationRow>, Error> {
        let row = sqlx::query!(
            r#"SELECT id AS "id: Uuid", name, created_at AS "created_at: OffsetDateTime"
               FROM organizations WHERE name = ?"#,
            name,
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| OrganizationRow {
            id: row.id.into(),
            name: row.name,
            created_at: row.created_at,
        }))
    }

    /// The name of an organization.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn organization_name(&self, id: OrganizationId) -> Result<Option<String>, Error> {
        Ok(
            sqlx::query_scalar!("SELECT name FROM organizations WHERE id = ?", id.uuid())
                .fetch_optional(&self.pool)
                .await?,
        )
    }
}
