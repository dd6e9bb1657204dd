//! Table `resources`: which version of a resource is the current one.

use phi::{AuthenticatedRow, OrganizationId, RowEncoder, RowMac};
use sqlx::{MySql, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::columns::bytes32;
use crate::{Database, Error, Transaction};

/// A resource's name within its organization.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ResourceKey {
    /// FHIR resource type.
    pub kind: &'static str,
    /// Its id.
    pub id: Uuid,
}

impl ResourceKey {
    /// Keys as a JSON array, for `JSON_TABLE`.
    pub(crate) fn json(keys: &[Self]) -> String {
        let keys: Vec<String> = keys
            .iter()
            .map(|key| format!(r#"{{"kind":"{}","id":"{}"}}"#, key.kind, key.id.simple()))
            .collect();
        format!("[{}]", keys.join(","))
    }
}

/// The head of a resource's history, as stored.
#[derive(Clone, Debug)]
pub struct ResourceRow {
    /// The organization.
    pub organization: OrganizationId,
    /// The patient that owns it, or the organization itself.
    pub owner: Uuid,
    /// FHIR resource type.
    pub kind: String,
    /// Its id.
    pub id: Uuid,
    /// The current version.
    pub version: u32,
    /// When that was stored.
    pub updated_at: OffsetDateTime,
    /// Under the organization's authorization key.
    pub mac: RowMac,
}

impl AuthenticatedRow for ResourceRow {
    const TABLE: &'static str = "resources";

    fn encode(&self, row: &mut RowEncoder) {
        row.uuid(self.organization.uuid());
        row.uuid(self.owner);
        row.text(&self.kind);
        row.uuid(self.id);
        row.u64(u64::from(self.version));
        row.time(self.updated_at);
    }

    fn mac(&self) -> &RowMac {
        &self.mac
    }
}

impl Transaction {
    /// Reads the heads of those of `keys` that exist, and holds them until the transaction ends.
    ///
    /// The list of keys leads the join and the unique key serves it: otherwise a small table is read through, which
    /// waits for every row that it passes. (MySQL refuses to lock a `JSON_TABLE` that stands by itself.) The keys
    /// are taken in order, so that two that want the same rows do not each hold what the other wants.
    ///
    /// # Errors
    /// [`Error::Contended`], [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn lock_resources(
        &mut self,
        organization: OrganizationId,
        keys: &[ResourceKey],
    ) -> Result<Vec<ResourceRow>, Error> {
        let mut keys = keys.to_vec();
        keys.sort_unstable_by_key(|key| (key.kind, key.id));
        let rows = sqlx::query!(
            r#"SELECT r.owner AS "owner: Uuid", r.kind AS "kind: String", r.id AS "id: Uuid", r.version,
                      r.updated_at AS "updated_at: OffsetDateTime", r.mac
               FROM (SELECT kind, id
                     FROM JSON_TABLE(?, '$[*]' COLUMNS (
                          kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$.kind',
                          id   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin PATH '$.id')) listed) wanted
               STRAIGHT_JOIN resources r FORCE INDEX (resources_id)
                 ON r.organization = ? AND r.kind = wanted.kind AND r.id = UNHEX(wanted.id)
               ORDER BY r.kind, r.id
               FOR UPDATE"#,
            ResourceKey::json(&keys),
            organization.uuid(),
        )
        .fetch_all(&mut *self.inner)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(ResourceRow {
                    organization,
                    owner: row.owner,
                    kind: row.kind,
                    id: row.id,
                    version: row.version,
                    updated_at: row.updated_at,
                    mac: RowMac::from_bytes(bytes32("resources", &row.mac)?),
                })
            })
            .collect()
    }

    /// Adds the heads of new resources. One statement for all: a literal cannot vary in length.
    ///
    /// # Errors
    /// [`Error::AlreadyThere`] if one was added since [`Transaction::lock_resources`]: try again.
    pub async fn insert_resources(&mut self, rows: &[ResourceRow]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        QueryBuilder::<MySql>::new(
            "INSERT INTO resources (organization, owner, kind, id, version, updated_at, mac) ",
        )
        .push_values(rows, |mut values, row| {
            values
                .push_bind(row.organization.uuid())
                .push_bind(row.owner)
                .push_bind(&row.kind)
                .push_bind(row.id)
                .push_bind(row.version)
                .push_bind(row.updated_at)
                .push_bind(&row.mac.as_bytes()[..]);
        })
        .build()
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Moves a resource that [`Transaction::lock_resources`] found to its next version.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn update_resource(&mut self, row: &ResourceRow) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE resources SET version = ?, updated_at = ?, mac = ?
             WHERE organization = ? AND owner = ? AND kind = ? AND id = ?",
            row.version,
            row.updated_at,
            &row.mac.as_bytes()[..],
            row.organization.uuid(),
            row.owner,
            row.kind,
            row.id,
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

impl Database {
    /// The head of one resource.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn resource(
        &self,
        organization: OrganizationId,
        key: &ResourceKey,
    ) -> Result<Option<ResourceRow>, Error> {
        let row = sqlx::query!(
            r#"SELECT owner AS "owner: Uuid", version,
                      updated_at AS "updated_at: OffsetDateTime", mac
               FROM resources WHERE organization = ? AND kind = ? AND id = ?"#,
            organization.uuid(),
            key.kind,
            key.id,
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(ResourceRow {
                organization,
                owner: row.owner,
                kind: key.kind.to_owned(),
                id: key.id,
                version: row.version,
                updated_at: row.updated_at,
                mac: RowMac::from_bytes(bytes32("resources", &row.mac)?),
            })
        })
        .transpose()
    }
}
