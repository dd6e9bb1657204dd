//! The queries that join a head with one of its versions: the current one, or one that is requested by its number.

use phi_types::OrganizationId;
use phi_types::Owner;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::ResourceKey;
use crate::ResourceRow;
use crate::VersionRow;
use crate::requested::ensure;
use crate::requested::ensure_all;
use crate::resource_versions::VersionRowRecord;
use crate::resources::ResourceRowRecord;

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

/// The head of a resource, one of its versions, and the newest version that is stored.
#[derive(Clone, Debug)]
pub struct StoredVersion {
    /// The head.
    pub head: ResourceRow,
    /// The requested version, if it is stored. Its key columns are copied from the head. A missing version is one that
    /// the resource never had if its number is above the head's; otherwise it is hidden.
    pub version: Option<VersionRow>,
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

/// A head and a version of it as the driver returns them.
struct JoinedRecord {
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
    head_deleted: Option<u8>,
    head_mac_key: Uuid,
    head_mac: Vec<u8>,
    row_id: Option<Uuid>,
    at: Option<OffsetDateTime>,
    body: Option<Vec<u8>>,
    version_deleted: Option<u8>,
    mac_key: Option<Uuid>,
    mac: Option<Vec<u8>>,
    newest: Option<u32>,
}

impl JoinedRecord {
    /// The version as the table has it, with this number and the key columns of the head; `None` if there is none.
    fn version_record(&mut self, number: u32) -> Option<VersionRowRecord> {
        Some(VersionRowRecord {
            organization: self.organization,
            owner_kind: self.owner_kind,
            owner: self.owner.clone(),
            kind: self.kind.clone(),
            id: self.id,
            version: number,
            row_id: self.row_id?,
            at: self.at?,
            body: self.body.take()?,
            deleted: self.version_deleted,
            mac_key: self.mac_key?,
            mac: self.mac.take()?,
        })
    }

    /// The head, its version with the number `number`, and the newest version. Without a number, the version is the
    /// head's.
    fn into_stored(mut self, number: Option<u32>) -> Result<StoredVersion, Error> {
        let version = self.version_record(number.unwrap_or(self.version));
        let head = ResourceRowRecord {
            organization: self.organization,
            owner_kind: self.owner_kind,
            owner: self.owner,
            kind: self.kind,
            id: self.id,
            row_id: self.head_row,
            version: self.version,
            version_row: self.version_row,
            updated_at: self.updated_at,
            version_digest: self.version_digest,
            deleted: self.head_deleted,
            mac_key: self.head_mac_key,
            mac: self.head_mac,
        };
        Ok(StoredVersion {
            head: head.try_into()?,
            version: version.map(VersionRow::try_from).transpose()?,
            // A head without any version means that the versions are hidden.
            newest: self
                .newest
                .ok_or(Error::NotRequested("resource_versions"))?,
        })
    }
}

impl TryFrom<JoinedRecord> for CurrentVersion {
    type Error = Error;

    fn try_from(record: JoinedRecord) -> Result<Self, Error> {
        let stored = record.into_stored(None)?;
        // A head without the version that it names means that the version is hidden, or the head is another one's.
        let version = stored
            .version
            .filter(|version| version.row_id == stored.head.version_row)
            .ok_or(Error::NotRequested("resource_versions"))?;
        Ok(Self {
            head: stored.head,
            version,
            newest: stored.newest,
        })
    }
}

/// A query of [`JoinedRecord`]s. The FROM clause that is passed in names the heads `r` and their versions `v`.
macro_rules! select_joined {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            JoinedRecord,
            "SELECT r.organization AS `organization: _`, r.owner_kind, r.owner, r.kind AS `kind: String`, r.id AS `id: _`,
                    r.row_id AS `head_row: _`, r.version, r.version_row AS `version_row: _`,
                    r.updated_at AS `updated_at: _`, r.version_digest, r.deleted AS head_deleted,
                    r.mac_key AS `head_mac_key: _`, r.mac AS head_mac, v.row_id AS `row_id?: _`, v.at AS `at?: _`,
                    v.body AS `body?`, v.deleted AS version_deleted, v.mac_key AS `mac_key?: _`, v.mac AS `mac?`,
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
        let record = select_joined!(
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

    /// One version of one resource, of whatever age; `None` if there is no such resource.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn version(
        &self,
        organization: OrganizationId,
        key: &ResourceKey,
        version: u32,
    ) -> Result<Option<StoredVersion>, Error> {
        let record = select_joined!(
            "FROM resources r
             LEFT JOIN resource_versions v
               ON v.organization = r.organization AND v.owner_kind = r.owner_kind AND v.owner = r.owner
              AND v.kind = r.kind AND v.id = r.id AND v.version = ?
             WHERE r.organization = ? AND r.kind = ? AND r.id = ?",
            version,
            organization.uuid(),
            key.kind,
            key.id,
        )
        .fetch_optional(&self.pool)
        .await?;
        let stored = record.map(|record| record.into_stored(Some(version)));
        let is_requested = |it: &StoredVersion| {
            it.head.organization == organization && it.head.kind == key.kind && it.head.id == key.id
        };
        stored
            .transpose()?
            .map(|stored| ensure("resources", stored, is_requested))
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
        // The server makes a temporary table of a JSON_TABLE, which costs as much as the read of one resource.
        if let [key] = keys {
            let only = self.current_version(organization, key).await?;
            return Ok(only.into_iter().collect());
        }
        let records = select_joined!(
            "FROM JSON_TABLE(?, '$[*]' COLUMNS (
                    kind VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$.kind',
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
        let records = select_joined!(
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
