//! Table `resources`: the head of each resource, which names its current version.

use std::collections::BTreeSet;
use std::collections::HashSet;

use db_macros::table;
use phi_types::Deleted;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::OwnerKind;
use phi_types::RowId;
use phi_types::tables::RESOURCES;
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

/// The head in a record with all columns of `resources` and others. A macro, because each such query has a record type of
/// its own.
macro_rules! head_of {
    ($record:expr) => {
        crate::ResourceRow::try_from(crate::resources::ResourceRowRecord {
            organization: $record.organization,
            owner_kind: $record.owner_kind,
            owner: $record.owner,
            kind: $record.kind,
            id: $record.id,
            row_id: $record.row_id,
            version: $record.version,
            version_row: $record.version_row,
            updated_at: $record.updated_at,
            version_digest: $record.version_digest,
            deleted: $record.deleted,
            mac_key: $record.mac_key,
            mac: $record.mac,
        })?
    };
}
pub(crate) use head_of;

/// A locked head, and the newest digest that the audit log lists for its row. The digest is a hint: which one is the newest
/// is the database's claim.
#[derive(Clone, Debug)]
pub struct LockedHead {
    /// The head.
    pub head: ResourceRow,
    /// The newest digest; none if no event lists the row.
    pub newest_digest: Option<[u8; 32]>,
}

/// A locked head as the driver returns it.
struct LockedRecord {
    organization: Uuid,
    owner_kind: u8,
    owner: Vec<u8>,
    kind: String,
    id: Uuid,
    row_id: Uuid,
    version: u32,
    version_row: Uuid,
    updated_at: OffsetDateTime,
    version_digest: Vec<u8>,
    deleted: Option<u8>,
    mac_key: Uuid,
    mac: Vec<u8>,
    newest_digest: Option<Vec<u8>>,
}

impl TryFrom<LockedRecord> for LockedHead {
    type Error = Error;

    fn try_from(record: LockedRecord) -> Result<Self, Error> {
        let newest_digest = StoredValue::from_raw(record.newest_digest);
        Ok(Self {
            head: head_of!(record),
            newest_digest: newest_digest.ok_or(Error::Corrupt("audit_rows"))?,
        })
    }
}

/// A query of [`LockedRecord`]s. The FROM clause that is passed in names the heads `t`.
///
/// The digests are read without a lock: the caller has locked the owner, without which no transaction writes one.
macro_rules! select_locked {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            LockedRecord,
            "SELECT t.organization AS `organization: _`, t.owner_kind, t.owner, t.kind AS `kind: String`, t.id AS `id: _`,
                    t.row_id AS `row_id: _`, t.version, t.version_row AS `version_row: _`, t.updated_at AS `updated_at: _`,
                    t.version_digest, t.deleted, t.mac_key AS `mac_key: _`, t.mac,
                    (SELECT a.digest FROM audit_rows a
                     WHERE a.organization = t.organization AND a.table_tag = ? AND a.row_id = t.row_id
                     ORDER BY a.sequence DESC LIMIT 1) AS `newest_digest?: Vec<u8>` "
            + $rest, RESOURCES.tag $(, $argument)*
        )
    };
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
    /// The queries force the index, and the order of the join: otherwise the server scans a small table, and waits for the
    /// lock of every row that it reads. The keys are in order, so that two transactions that lock the same rows do not
    /// deadlock.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lock_resources(
        &mut self,
        organization: OrganizationId,
        keys: &[ResourceKey],
    ) -> Result<Vec<LockedHead>, Error> {
        let records = match keys {
            [] => return Ok(Vec::new()),
            // The server makes a temporary table of a JSON_TABLE, which costs as much as all else here.
            [one] => lock_two(self, organization, one, one).await?,
            [one, other] => lock_two(self, organization, one, other).await?,
            keys => lock_many(self, organization, keys).await?,
        };
        let heads = records.into_iter().map(LockedHead::try_from);
        let heads: Vec<_> = heads.collect::<Result<_, _>>()?;
        let of_keys = ResourceKey::requested(keys);
        let is_requested =
            |it: &LockedHead| it.head.organization == organization && of_keys(&it.head);
        let key = |it: &LockedHead| (it.head.kind.clone(), it.head.id);
        ensure_all("resources", heads, key, is_requested)
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

/// [`Transaction::lock_resources`] for two keys, which may be equal.
async fn lock_two(
    transaction: &mut Transaction,
    organization: OrganizationId,
    one: &ResourceKey,
    other: &ResourceKey,
) -> Result<Vec<LockedRecord>, Error> {
    let records = select_locked!(
        "FROM resources t FORCE INDEX (resources_id)
             WHERE t.organization = ? AND ((t.kind = ? AND t.id = ?) OR (t.kind = ? AND t.id = ?))
             ORDER BY t.kind, t.id
             FOR UPDATE",
        organization.uuid(),
        one.kind,
        one.id,
        other.kind,
        other.id,
    );
    Ok(records.fetch_all(&mut *transaction.inner).await?)
}

/// [`Transaction::lock_resources`] for any number of keys. (`JSON_TABLE` is in a subquery because MySQL cannot lock it
/// directly.)
async fn lock_many(
    transaction: &mut Transaction,
    organization: OrganizationId,
    keys: &[ResourceKey],
) -> Result<Vec<LockedRecord>, Error> {
    let records = select_locked!(
        "FROM (SELECT kind, id
                   FROM JSON_TABLE(?, '$[*]' COLUMNS (
                        kind VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$.kind',
                        id   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin PATH '$.id')) listed) wanted
             STRAIGHT_JOIN resources t FORCE INDEX (resources_id)
               ON t.organization = ? AND t.kind = wanted.kind AND t.id = UNHEX(wanted.id)
             ORDER BY t.kind, t.id
             FOR UPDATE",
        ResourceKey::json(keys),
        organization.uuid(),
    );
    Ok(records.fetch_all(&mut *transaction.inner).await?)
}
