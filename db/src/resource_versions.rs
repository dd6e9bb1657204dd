//! Table `resource_versions`: every version of every resource, each sealed as one value.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::OwnerKind;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::columns::ResourceBody;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::ResourceKey;
use crate::ResourceRow;
use crate::Transaction;
use crate::requested::ensure;
use crate::requested::ensure_all;
use crate::stored::StoredValue;
use crate::stored::row_mac;

table! {
    /// One version of a resource.
    pub struct VersionRow: RESOURCE_VERSIONS, row row_id {
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
        /// The version, from 1.
        6 version: u32,
        /// The row's id, to which the sealed column is bound.
        7 row_id: RowId,
        /// The time at which the version was stored.
        8 at: OffsetDateTime,
        /// The resource as JSON, sealed in the owner's scope.
        9 body: Sealed<ResourceBody>,
    }
}

/// The head of a resource, the version that it names, and the newest version that is stored.
#[derive(Clone, Debug)]
pub struct CurrentVersion {
    /// The head.
    pub head: ResourceRow,
    /// The version that the head names. Its key columns are copied from the head.
    pub version: VersionRow,
    /// The number of the newest stored version. A head below it was replaced by an older one.
    pub newest: u32,
}

/// A position in the list of one owner's resources, which is ordered by type and id. The default is before the first
/// resource.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct OwnedPosition {
    /// FHIR resource type.
    pub kind: String,
    /// The resource's id.
    pub id: Uuid,
}

impl OwnedPosition {
    /// The position of a head.
    #[must_use]
    pub fn of(head: &ResourceRow) -> Self {
        Self {
            kind: head.kind.clone(),
            id: head.id,
        }
    }
}

/// A [`CurrentVersion`] as the driver returns it.
struct CurrentRecord {
    organization: Uuid,
    owner_kind: u8,
    owner: Vec<u8>,
    kind: String,
    id: Uuid,
    head_row: Uuid,
    version: u32,
    version_row: Uuid,
    updated_at: OffsetDateTime,
    version_digest: Vec<u8>,
    head_mac_key: Uuid,
    head_mac: Vec<u8>,
    row_id: Option<Uuid>,
    at: Option<OffsetDateTime>,
    body: Option<Vec<u8>>,
    mac_key: Option<Uuid>,
    mac: Option<Vec<u8>>,
    newest: Option<u32>,
}

impl TryFrom<CurrentRecord> for CurrentVersion {
    type Error = Error;

    fn try_from(record: CurrentRecord) -> Result<Self, Error> {
        const CORRUPT: Error = Error::Corrupt("resources");
        let head = ResourceRow {
            organization: record.organization.into(),
            owner_kind: OwnerKind::from_raw(record.owner_kind).ok_or(CORRUPT)?,
            owner: StoredValue::from_raw(record.owner).ok_or(CORRUPT)?,
            kind: record.kind,
            id: record.id,
            row_id: record.head_row.into(),
            version: record.version,
            version_row: record.version_row.into(),
            updated_at: record.updated_at,
            version_digest: StoredValue::from_raw(record.version_digest).ok_or(CORRUPT)?,
            mac: row_mac("resources", record.head_mac_key, &record.head_mac)?,
        };
        // A head without the version that it names means that the version is hidden, or the head is another one's.
        let missing = || Error::NotRequested("resource_versions");
        let version = VersionRow {
            organization: head.organization,
            owner_kind: head.owner_kind,
            owner: head.owner,
            kind: head.kind.clone(),
            id: head.id,
            version: head.version,
            row_id: record.row_id.ok_or_else(missing)?.into(),
            at: record.at.ok_or_else(missing)?,
            body: Sealed::from_bytes(record.body.ok_or_else(missing)?),
            mac: row_mac(
                "resource_versions",
                record.mac_key.ok_or_else(missing)?,
                &record.mac.ok_or_else(missing)?,
            )?,
        };
        if version.row_id != head.version_row {
            return Err(Error::NotRequested("resource_versions"));
        }
        Ok(Self {
            head,
            version,
            newest: record.newest.ok_or_else(missing)?,
        })
    }
}

/// A query of [`CurrentRecord`]s. The FROM clause that is passed in names the heads `r` and their versions `v`.
macro_rules! select_current {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            CurrentRecord,
            "SELECT r.organization AS `organization: _`, r.owner_kind, r.owner, r.kind AS `kind: String`, r.id AS `id: _`,
                    r.row_id AS `head_row: _`, r.version, r.version_row AS `version_row: _`,
                    r.updated_at AS `updated_at: _`, r.version_digest, r.mac_key AS `head_mac_key: _`, r.mac AS head_mac,
                    v.row_id AS `row_id?: _`, v.at AS `at?: _`, v.body AS `body?`, v.mac_key AS `mac_key?: _`,
                    v.mac AS `mac?`,
                    (SELECT n.version FROM resource_versions n
                     WHERE n.organization = r.organization AND n.owner_kind = r.owner_kind
                       AND n.owner = r.owner AND n.kind = r.kind AND n.id = r.id
                     ORDER BY n.version DESC LIMIT 1) AS `newest?: u32` "
            + $rest $(, $argument)*
        )
    };
}

impl Database {
    /// The current version of one resource.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn current_version(
        &self,
        organization: OrganizationId,
        key: &ResourceKey,
    ) -> Result<Option<CurrentVersion>, Error> {
        let record = select_current!(
            "FROM resources r
             LEFT JOIN resource_versions v USING (organization, owner_kind, owner, kind, id, version)
             WHERE r.organization = ? AND r.kind = ? AND r.id = ?",
            organization.uuid(),
            key.kind,
            key.id,
        )
        .fetch_optional(&self.pool)
        .await?;
        let current = record.map(CurrentVersion::try_from).transpose()?;
        let is_requested = |it: &CurrentVersion| {
            it.head.organization == organization && it.head.kind == key.kind && it.head.id == key.id
        };
        current
            .map(|current| ensure("resources", current, is_requested))
            .transpose()
    }

    /// The current versions of the resources `keys`, as far as they exist, in no particular order.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn current_versions(
        &self,
        organization: OrganizationId,
        keys: &[ResourceKey],
    ) -> Result<Vec<CurrentVersion>, Error> {
        let records = select_current!(
            "FROM JSON_TABLE(?, '$[*]' COLUMNS (
                    kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$.kind',
                    id   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin PATH '$.id')) wanted
             JOIN resources r
               ON r.organization = ? AND r.kind = wanted.kind AND r.id = UNHEX(wanted.id)
             LEFT JOIN resource_versions v
               ON v.organization = r.organization AND v.owner_kind = r.owner_kind AND v.owner = r.owner
              AND v.kind = r.kind AND v.id = r.id AND v.version = r.version",
            ResourceKey::json(keys),
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        let current = records.into_iter().map(CurrentVersion::try_from);
        let current: Vec<_> = current.collect::<Result<_, _>>()?;
        let of_keys = ResourceKey::requested(keys);
        let is_requested =
            |it: &CurrentVersion| it.head.organization == organization && of_keys(&it.head);
        let key = |it: &CurrentVersion| (it.head.kind.clone(), it.head.id);
        ensure_all("resources", current, key, is_requested)
    }

    /// The current versions of at most `limit` resources of an owner, from a position on, in the order of type and id.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn current_versions_of(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        after: &OwnedPosition,
        limit: u32,
    ) -> Result<Vec<CurrentVersion>, Error> {
        let (kind, id) = (owner.kind(), owner.id(organization));
        let records = select_current!(
            "FROM resources r
             LEFT JOIN resource_versions v USING (organization, owner_kind, owner, kind, id, version)
             WHERE r.organization = ? AND r.owner_kind = ? AND r.owner = ?
               AND r.kind >= ? AND (r.kind > ? OR r.id > ?)
             ORDER BY r.kind, r.id LIMIT ?",
            organization.uuid(),
            kind.code(),
            &id[..],
            after.kind,
            after.kind,
            after.id,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let current = records.into_iter().map(CurrentVersion::try_from);
        let current: Vec<_> = current.collect::<Result<_, _>>()?;
        let is_requested = |it: &CurrentVersion| {
            let head = &it.head;
            head.organization == organization
                && head.owner_kind == kind
                && head.owner == id
                && OwnedPosition::of(head) > *after
        };
        let key = |it: &CurrentVersion| (it.head.kind.clone(), it.head.id);
        ensure_all("resources", current, key, is_requested)
    }
}

impl Transaction {
    /// Inserts versions.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn insert_versions(&mut self, rows: &[VersionRow]) -> Result<(), Error> {
        self.insert(rows).await
    }
}
