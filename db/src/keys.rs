//! Table `keys`: every key below the root, wrapped.

use phi_types::KeyId;
use phi_types::KeyState;
use phi_types::KeyStore;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::OwnerKind;
use phi_types::Purpose;
use phi_types::StoreError;
use phi_types::WrappedKey;
use sqlx::MySql;
use sqlx::query_builder::Separated;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::ScrubbedRow;
use crate::Transaction;
use crate::requested::ensure;
use crate::requested::ensure_all;
use crate::requested::json_ids;
use crate::scrub::in_order;
use crate::stored::StoredRow;
use crate::stored::StoredValue;
use crate::stored::row_mac;

/// A [`WrappedKey`] as the driver returns it. Written by hand, because `phi-types` declares the row and not `table!`.
pub(crate) struct KeyRecord {
    pub(crate) id: Uuid,
    pub(crate) organization: Uuid,
    pub(crate) owner_kind: u8,
    pub(crate) owner: Vec<u8>,
    pub(crate) purpose: u8,
    pub(crate) version: u32,
    pub(crate) root: Option<String>,
    pub(crate) branch: Option<Uuid>,
    pub(crate) branch_version: Option<u32>,
    pub(crate) provider: u8,
    pub(crate) wrapped: Vec<u8>,
    pub(crate) commitment: Vec<u8>,
    pub(crate) state: u8,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) mac_key: Uuid,
    pub(crate) mac: Vec<u8>,
}

impl TryFrom<KeyRecord> for WrappedKey {
    type Error = Error;

    fn try_from(row: KeyRecord) -> Result<Self, Error> {
        const CORRUPT: Error = Error::Corrupt("keys");
        Ok(Self {
            id: row.id.into(),
            organization: row.organization.into(),
            owner: StoredValue::from_raw(row.owner).ok_or(CORRUPT)?,
            owner_kind: OwnerKind::from_code(row.owner_kind).ok_or(CORRUPT)?,
            purpose: Purpose::from_code(row.purpose).ok_or(CORRUPT)?,
            version: row.version,
            root: row.root,
            branch: row.branch.map(KeyId::from_uuid),
            branch_version: row.branch_version,
            provider: row.provider,
            wrapped: row.wrapped,
            commitment: StoredValue::from_raw(row.commitment).ok_or(CORRUPT)?,
            state: KeyState::from_code(row.state).ok_or(CORRUPT)?,
            created_at: row.created_at,
            mac: row_mac("keys", row.mac_key, &row.mac)?,
        })
    }
}

impl StoredRow for WrappedKey {
    const INSERT: &'static str = "INSERT INTO `keys` (id, organization, owner_kind, owner, purpose, version, root, \
         branch, branch_version, provider, wrapped, commitment, state, created_at, mac_key, mac) ";
    const COLUMNS: usize = 16;

    fn bind(&self, values: &mut Separated<'_, MySql, &'static str>) {
        values
            .push_bind(self.id.uuid())
            .push_bind(self.organization.uuid())
            .push_bind(self.owner_kind.code())
            .push_bind(&self.owner[..])
            .push_bind(self.purpose.code())
            .push_bind(self.version)
            .push_bind(&self.root)
            .push_bind(self.branch.map(KeyId::uuid))
            .push_bind(self.branch_version)
            .push_bind(self.provider)
            .push_bind(&self.wrapped)
            .push_bind(&self.commitment[..])
            .push_bind(self.state.code())
            .push_bind(self.created_at)
            .push_bind(self.mac.key().uuid())
            .push_bind(&self.mac.as_bytes()[..]);
    }

    fn size(&self) -> usize {
        512 + self.wrapped.len()
    }
}

macro_rules! select_keys {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            KeyRecord,
            "SELECT t.id AS `id: _`, t.organization AS `organization: _`, t.owner_kind, t.owner, t.purpose,
                    t.version, t.root AS `root: String`, t.branch AS `branch: _`, t.branch_version, t.provider,
                    t.wrapped, t.commitment, t.state, t.created_at AS `created_at: _`,
                    t.mac_key AS `mac_key: _`, t.mac FROM `keys` t " + $rest $(, $argument)*
        )
    };
}

impl KeyStore for Database {
    async fn current(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        purpose: Purpose,
    ) -> Result<Option<WrappedKey>, StoreError> {
        let id = owner.id(organization);
        let record = select_keys!(
            "WHERE t.organization = ? AND t.owner_kind = ? AND t.owner = ? AND t.purpose = ?
             ORDER BY t.state, t.version DESC LIMIT 1",
            organization.uuid(),
            owner.kind().code(),
            &id[..],
            purpose.code(),
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| store_error(error.into()))?;
        let is_requested = |row: &WrappedKey| {
            row.organization == organization
                && row.owner_kind == owner.kind()
                && row.owner == id
                && row.purpose == purpose
        };
        let row = record.map(WrappedKey::try_from).transpose();
        row.and_then(|row| row.map(|row| ensure("keys", row, is_requested)).transpose())
            .map_err(store_error)
    }

    async fn by_ids(
        &self,
        organization: OrganizationId,
        ids: &[KeyId],
    ) -> Result<Vec<WrappedKey>, StoreError> {
        let records = select_keys!(
            "JOIN JSON_TABLE(?, '$[*]' COLUMNS (
                    id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) wanted
               ON t.id = UNHEX(wanted.id)
             WHERE t.organization = ?",
            json_ids(ids.iter().map(|id| id.uuid())),
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|error| store_error(error.into()))?;
        let rows = records.into_iter().map(WrappedKey::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>().map_err(store_error)?;
        let requested: std::collections::HashSet<_> = ids.iter().collect();
        let is_requested =
            |row: &WrappedKey| row.organization == organization && requested.contains(&row.id);
        ensure_all("keys", rows, |row| row.id, is_requested).map_err(store_error)
    }
}

impl ScrubbedRow for WrappedKey {
    async fn page(database: &Database, from: Uuid, limit: u32) -> Result<Vec<Self>, Error> {
        let records = select_keys!("WHERE t.id >= ? ORDER BY t.id LIMIT ?", from, limit)
            .fetch_all(&database.pool)
            .await?;
        let rows = records.into_iter().map(Self::try_from);
        in_order(rows.collect::<Result<_, _>>()?, from)
    }
}

impl Transaction {
    /// Inserts keys. The same transaction inserts their owner.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] if an owner has a key of the same purpose and version.
    pub async fn insert_keys(&mut self, rows: &[WrappedKey]) -> Result<(), Error> {
        self.insert(rows).await
    }
}

fn store_error(error: Error) -> StoreError {
    match error {
        Error::NotRequested(_) | Error::Corrupt(_) => StoreError::Corrupt(error.into()),
        Error::Unavailable(_)
        | Error::Conflict
        | Error::UniqueViolation(_)
        | Error::Floor(_)
        | Error::Unexpected(_) => StoreError::Unavailable(error.into()),
    }
}
