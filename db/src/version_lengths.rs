//! The lengths of current versions. Callers read them first, and reserve memory before they read the versions.
//!
//! A length is the database's claim. It determines only how many rows are read at once.

use std::collections::HashMap;

use phi_types::OrganizationId;
use phi_types::Owner;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::OwnedPosition;
use crate::ResourceKey;

/// Converts a length of the driver. It is NULL for a head without the version that it names, which cannot be read anyway.
fn bytes(length: Option<i64>) -> usize {
    usize::try_from(length.unwrap_or_default()).unwrap_or_default()
}

impl Database {
    /// The lengths of the sealed bodies that [`Database::current_versions`] returns, in bytes, by type and id.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn version_lengths(
        &self,
        organization: OrganizationId,
        keys: &[ResourceKey],
    ) -> Result<HashMap<(String, Uuid), usize>, Error> {
        let records = sqlx::query!(
            r#"SELECT r.kind AS "kind: String", r.id AS "id: Uuid", CAST(LENGTH(v.body) AS SIGNED) AS "bytes: i64"
               FROM JSON_TABLE(?, '$[*]' COLUMNS (
                    kind VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin PATH '$.kind',
                    id   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin PATH '$.id')) wanted
               JOIN resources r
                 ON r.organization = ? AND r.kind = wanted.kind AND r.id = UNHEX(wanted.id)
               LEFT JOIN resource_versions v
                 ON v.organization = r.organization AND v.owner_kind = r.owner_kind AND v.owner = r.owner
                AND v.kind = r.kind AND v.id = r.id AND v.version = r.version"#,
            ResourceKey::json(keys),
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        let lengths = records.into_iter();
        let lengths = lengths.map(|it| ((it.kind, it.id), bytes(it.bytes)));
        Ok(lengths.collect())
    }

    /// The lengths of the sealed bodies that [`Database::current_versions_of`] returns, in bytes, in the same order.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn version_lengths_of(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        after: &OwnedPosition,
        limit: u32,
    ) -> Result<Vec<usize>, Error> {
        let lengths = sqlx::query_scalar!(
            r#"SELECT CAST(LENGTH(v.body) AS SIGNED) AS "bytes: i64"
               FROM resources r
               LEFT JOIN resource_versions v USING (organization, owner_kind, owner, kind, id, version)
               WHERE r.organization = ? AND r.owner_kind = ? AND r.owner = ?
                 AND r.kind >= ? AND (r.kind > ? OR r.id > ?)
               ORDER BY r.kind, r.id LIMIT ?"#,
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
            after.kind,
            after.kind,
            after.id,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(lengths.into_iter().map(bytes).collect())
    }
}
