//! Table `resources`: the head of each resource, which names its current version.

use std::collections::BTreeSet;
use std::collections::HashSet;

use db_macros::table;
use phi_types::Deleted;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::OwnerKind;
use phi_types::RowId;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;
use crate::requested::ensure_all;
use crate::stored::StoredValue;

/// The type and id of a resource, which identify it within its organization.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ResourceKey {
    /// FHIR resource type.
    pub kind: &'static str,
    /// The resource's id.
    pub id: Uuid,
}

impl ResourceKey {
    /// Keys as a JSON array for `JSON_TABLE`: without repetitions, in ascending order.
    pub(crate) fn json(keys: &[Self]) -> String {
        let keys: BTreeSet<&Self> = keys.iter().collect();
        let keys: Vec<String> = keys
            .into_iter()
            .map(|key| format!(r#"{{"kind":"{}","id":"{}"}}"#, key.kind, key.id.simple()))
            .collect();
        format!("[{}]", keys.join(","))
    }

    /// A test whether a head was requested by one of `keys`.
    pub(crate) fn requested(keys: &[Self]) -> impl Fn(&ResourceRow) -> bool {
        let keys: HashSet<_> = keys.iter().map(|key| (key.kind, key.id)).collect();
        move |row| keys.contains(&(row.kind.as_str(), row.id))
    }
}

table! {
    /// The head of a resource.
    pub struct ResourceRow: RESOURCES, row row_id, select select_resources {
        /// The organization.
        1 organization: OrganizationId,
        /// The kind of the owner.
        2 owner_kind: OwnerKind,
        /// The owner's id.
        3 owner: [u8; 16],
        /// FHIR resource type.
        4 kind: String,
        /// The resource's id.
        5 id: Uuid,
        /// The row's id, which later versions keep.
        6 row_id: RowId,
        /// The current version, from 1.
        7 version: u32,
        /// The row of that version.
        8 version_row: RowId,
        /// The time at which that version was stored.
        9 updated_at: OffsetDateTime,
        /// The digest of the row of that version.
        10 version_digest: [u8; 32],
        /// The mark of a deleted resource, whose current version is a tombstone.
        11 deleted: Option<Deleted>,
    }
}

impl ResourceRow {
    /// The owner.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the columns name no owner.
    pub fn owner(&self) -> Result<Owner, Error> {
        Owner::from_parts(self.organization, self.owner_kind, self.owner)
            .ok_or(Error::Corrupt("resources"))
    }
}

/// The columns of a head that its owner's head set covers. Not verified: the caller compares it with that set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredHead {
    /// FHIR resource type.
    pub kind: String,
    /// The resource's id.
    pub id: Uuid,
    /// The current version.
    pub version: u32,
    /// The digest of the row of that version.
    pub version_digest: [u8; 32],
}

impl Transaction {
    /// At most `limit` heads of an owner, those of deleted resources among them, in no particular order.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn heads_of(
        &mut self,
        organization: OrganizationId,
        owner: &Owner,
        limit: u32,
    ) -> Result<Vec<StoredHead>, Error> {
        let records = sqlx::query!(
            r#"SELECT kind AS "kind: String", id AS "id: Uuid", version, version_digest
               FROM resources WHERE organization = ? AND owner_kind = ? AND owner = ? LIMIT ?"#,
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
            limit,
        )
        .fetch_all(&mut *self.inner)
        .await?;
        let heads = records.into_iter().map(|record| {
            Ok(StoredHead {
                kind: record.kind,
                id: record.id,
                version: record.version,
                version_digest: StoredValue::from_raw(record.version_digest)
                    .ok_or(Error::Corrupt("resources"))?,
            })
        });
        heads.collect()
    }

    /// The number of heads that an owner has of one resource type, those of deleted resources among them.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn count_heads(
        &mut self,
        organization: OrganizationId,
        owner: &Owner,
        kind: &str,
    ) -> Result<u64, Error> {
        let count = sqlx::query_scalar!(
            "SELECT COUNT(*) FROM resources
             WHERE organization = ? AND owner_kind = ? AND owner = ? AND kind = ?",
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
            kind,
        )
        .fetch_one(&mut *self.inner)
        .await?;
        u64::try_from(count).ok().ok_or(Error::Corrupt("resources"))
    }

    /// The number of heads that an owner has of resources that are not deleted and not Patients.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn count_live_heads(
        &mut self,
        organization: OrganizationId,
        owner: &Owner,
    ) -> Result<u64, Error> {
        let count = sqlx::query_scalar!(
            "SELECT COUNT(*) FROM resources
             WHERE organization = ? AND owner_kind = ? AND owner = ? AND kind <> 'Patient' AND deleted IS NULL",
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
        )
        .fetch_one(&mut *self.inner)
        .await?;
        u64::try_from(count).ok().ok_or(Error::Corrupt("resources"))
    }

    /// The heads of the resources `keys`, as far as they exist, locked until the transaction ends.
    ///
    /// The query forces the order of the join and the index: otherwise the server scans a small table, and waits for the
    /// lock of every row that it reads. (`JSON_TABLE` is in a subquery because MySQL cannot lock it directly.) The keys
    /// are in order, so that two transactions that lock the same rows do not deadlock.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lock_resources(
        &mut self,
        organization: OrganizationId,
        keys: &[ResourceKey],
    ) -> Result<Vec<ResourceRow>, Error> {
        let records = sqlx::query_as!(
            ResourceRowRecord,
            r#"SELECT t.organization AS "organization: _", t.owner_kind AS "owner_kind: _", t.owner AS "owner: _",
                      t.kind AS "kind: String", t.id AS "id: _", t.row_id AS "row_id: _", t.version AS "version: _",
                      t.version_row AS "version_row: _", t.updated_at AS "updated_at: _",
                      t.version_digest AS "version_digest: _", t.deleted AS "deleted: _", t.mac_key AS "mac_key: _", t.mac AS "mac: _"
               FROM (SELECT kind, id
                     FROM JSON_TABLE(?, '$[*]' COLUMNS (
                          kind VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$.kind',
                          id   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin PATH '$.id')) listed) wanted
               STRAIGHT_JOIN resources t FORCE INDEX (resources_id)
                 ON t.organization = ? AND t.kind = wanted.kind AND t.id = UNHEX(wanted.id)
               ORDER BY t.kind, t.id
               FOR UPDATE"#,
            ResourceKey::json(keys),
            organization.uuid(),
        )
        .fetch_all(&mut *self.inner)
        .await?;
        let rows = records.into_iter().map(ResourceRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let of_keys = ResourceKey::requested(keys);
        let is_requested = |row: &ResourceRow| row.organization == organization && of_keys(row);
        let key = |row: &ResourceRow| (row.kind.clone(), row.id);
        ensure_all("resources", rows, key, is_requested)
    }

    /// Inserts the heads of new resources.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] if one was inserted since [`Transaction::lock_resources`]: retry.
    pub async fn insert_resources(&mut self, rows: &[ResourceRow]) -> Result<(), Error> {
        self.insert(rows).await
    }

    /// Updates the head of a resource to its next version. Guarded: `before` is the MAC of the head as it was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the head has changed.
    pub async fn update_resource(
        &mut self,
        row: &ResourceRow,
        before: &[u8; 32],
    ) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE resources SET version = ?, version_row = ?, updated_at = ?, version_digest = ?, deleted = ?,
                                  mac_key = ?, mac = ?
             WHERE organization = ? AND owner_kind = ? AND owner = ? AND kind = ? AND id = ? AND mac = ?",
            row.version,
            row.version_row.uuid(),
            row.updated_at,
            &row.version_digest[..],
            row.deleted.map(Deleted::code),
            row.mac.key().uuid(),
            &row.mac.as_bytes()[..],
            row.organization.uuid(),
            row.owner_kind.code(),
            &row.owner[..],
            row.kind,
            row.id,
            &before[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }
}

impl Database {
    /// The head of one resource.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn resource(
        &self,
        organization: OrganizationId,
        key: &ResourceKey,
    ) -> Result<Option<ResourceRow>, Error> {
        let record = select_resources!(
            "WHERE t.organization = ? AND t.kind = ? AND t.id = ?",
            organization.uuid(),
            key.kind,
            key.id,
        )
        .fetch_optional(&self.pool)
        .await?;
        let row = record.map(ResourceRow::try_from).transpose()?;
        row.map(|row| {
            ensure("resources", row, |row| {
                row.organization == organization && row.kind == key.kind && row.id == key.id
            })
        })
        .transpose()
    }
}
