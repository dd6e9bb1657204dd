//! The heads of one owner without their versions: for readers that meet a version that cannot be read.

use phi_types::OrganizationId;
use phi_types::Owner;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::OwnedPosition;
use crate::StoredHead;
use crate::stored::StoredValue;

impl Database {
    /// At most `limit` heads of an owner, from a position on, in the order of type and id. Not verified: the caller
    /// compares them with the owner's head set.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn owned_heads(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        after: &OwnedPosition,
        limit: u32,
    ) -> Result<Vec<StoredHead>, Error> {
        let records = sqlx::query!(
            r#"SELECT kind AS "kind: String", id AS "id: Uuid", version, version_digest
               FROM resources WHERE organization = ? AND owner_kind = ? AND owner = ?
                 AND kind >= ? AND (kind > ? OR id > ?)
               ORDER BY kind, id LIMIT ?"#,
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
}
