//! Table `keys`: every key below the root, wrapped.

use phi::{
    Inserted, KeyId, KeyState, KeyStore, OrganizationId, Owner, OwnerKind, Purpose, RowMac,
    StoreError, WrappedKey,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::columns::{bytes16, bytes32};
use crate::{Database, Error};

const TABLE: &str = "keys";

/// What the queries below select.
struct Stored {
    id: Uuid,
    organization: Uuid,
    owner_kind: u8,
    owner: Vec<u8>,
    purpose: u8,
    version: u32,
    root: Option<String>,
    branch: Option<Uuid>,
    branch_version: Option<u32>,
    provider: u8,
    wrapped: Vec<u8>,
    commitment: Vec<u8>,
    state: u8,
    created_at: OffsetDateTime,
    mac: Vec<u8>,
}

impl TryFrom<Stored> for WrappedKey {
    type Error = Error;

    fn try_from(row: Stored) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            organization: row.organization.into(),
            owner: bytes16(TABLE, &row.owner)?,
            owner_kind: OwnerKind::from_code(row.owner_kind).ok_or(Error::Corrupt(TABLE))?,
            purpose: Purpose::from_code(row.purpose).ok_or(Error::Corrupt(TABLE))?,
            version: row.version,
            root: row.root,
            branch: row.branch.map(KeyId::from_uuid),
            branch_version: row.branch_version,
            provider: row.provider,
            wrapped: row.wrapped,
            commitment: bytes32(TABLE, &row.commitment)?,
            state: KeyState::from_code(row.state).ok_or(Error::Corrupt(TABLE))?,
            created_at: row.created_at,
            mac: RowMac::from_bytes(bytes32(TABLE, &row.mac)?),
        })
    }
}

impl KeyStore for Database {
    async fn active(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        purpose: Purpose,
    ) -> Result<Option<WrappedKey>, StoreError> {
        let row = sqlx::query_as!(
            Stored,
            r#"SELECT id AS "id: Uuid", organization AS "organization: Uuid", owner_kind, owner, purpose,
                      version, root AS "root: String", branch AS "branch: Uuid", branch_version, provider, wrapped, commitment,
                      state, created_at AS "created_at: OffsetDateTime", mac
               FROM `keys`
               WHERE organization = ? AND owner_kind = ? AND owner = ? AND purpose = ?
               ORDER BY state, version DESC LIMIT 1"#,
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
            purpose.code(),
        )
        .fetch_optional(&self.pool)
        .await;
        read(row)
    }

    async fn by_id(&self, id: KeyId) -> Result<Option<WrappedKey>, StoreError> {
        let row = sqlx::query_as!(
            Stored,
            r#"SELECT id AS "id: Uuid", organization AS "organization: Uuid", owner_kind, owner, purpose,
                      version, root AS "root: String", branch AS "branch: Uuid", branch_version, provider, wrapped, commitment,
                      state, created_at AS "created_at: OffsetDateTime", mac
               FROM `keys` WHERE id = ?"#,
            id.uuid(),
        )
        .fetch_optional(&self.pool)
        .await;
        read(row)
    }

    async fn insert(&self, key: &WrappedKey) -> Result<Inserted, StoreError> {
        let inserted = sqlx::query!(
            "INSERT INTO `keys` (id, organization, owner_kind, owner, purpose, version, root, branch,
                                 branch_version, provider, wrapped, commitment, state, created_at, mac)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            key.id.uuid(),
            key.organization.uuid(),
            key.owner_kind.code(),
            &key.owner[..],
            key.purpose.code(),
            key.version,
            key.root,
            key.branch.map(KeyId::uuid),
            key.branch_version,
            key.provider,
            key.wrapped,
            &key.commitment[..],
            key.state.code(),
            key.created_at,
            &key.mac.as_bytes()[..],
        )
        .execute(&self.pool)
        .await
        .map_err(Error::from);
        match inserted {
            Ok(_) => Ok(Inserted::Stored),
            Err(Error::AlreadyThere("keys_owner")) => Ok(Inserted::AlreadyThere),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn read(row: Result<Option<Stored>, sqlx::Error>) -> Result<Option<WrappedKey>, StoreError> {
    row.map_err(|error| unavailable(error.into()))?
        .map(|row| {
            row.try_into()
                .map_err(|error: Error| StoreError::Corrupt(error.into()))
        })
        .transpose()
}

fn unavailable(error: Error) -> StoreError {
    StoreError::Unavailable(error.into())
}
