//! Table `exports`: bulk exports, and the list of resources from which one is made.
//!
//! The row of an export stays when the export has expired or was removed. Its position and its end are volatile: an older
//! state that is put back costs a repetition of work, and does not make an expired export readable, since the time of
//! expiry is not volatile and the files are gone.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::OwnerKind;
use phi_types::PersonId;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::columns::ExportRequest;
use phi_types::columns::ExportState;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;
use crate::stored::StoredValue;

table! {
    /// A bulk export.
    pub struct ExportRow: EXPORTS, row row_id, select select_exports {
        /// The organization.
        1 organization: OrganizationId,
        /// The export.
        2 id: Uuid,
        /// The row's id, to which the sealed columns are bound.
        3 row_id: RowId,
        /// The person that requested the export.
        4 person: PersonId,
        /// The time of the request: resources that are stored later may be missing.
        5 requested_at: OffsetDateTime,
        /// The time at which the files are deleted.
        6 expires_at: OffsetDateTime,
        /// What is exported, sealed in the organization's scope.
        7 request: Sealed<ExportRequest>,
        /// The position and the files, sealed in the organization's scope.
        volatile 8 state: Sealed<ExportState>,
        /// The time at which the export was removed.
        volatile 9 ended_at: Option<OffsetDateTime>,
    }
}

/// A resource and its owner. Not verified: the caller verifies the resource when it reads it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OwnedId {
    /// The resource's id.
    pub id: Uuid,
    /// The owner.
    pub owner: Owner,
}

impl Database {
    /// An export of an organization.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn export(
        &self,
        organization: OrganizationId,
        id: Uuid,
    ) -> Result<Option<ExportRow>, Error> {
        let record = select_exports!(
            "WHERE t.organization = ? AND t.id = ?",
            organization.uuid(),
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        let row = record.map(ExportRow::try_from).transpose()?;
        row.map(|row| {
            ensure("exports", row, |row| {
                row.organization == organization && row.id == id
            })
        })
        .transpose()
    }

    /// The number of a person's exports that expire after a time and were not removed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn count_exports(
        &self,
        organization: OrganizationId,
        person: PersonId,
        after: OffsetDateTime,
    ) -> Result<u64, Error> {
        let count = sqlx::query_scalar!(
            "SELECT COUNT(*) FROM exports
             WHERE organization = ? AND expires_at > ? AND person = ? AND ended_at IS NULL",
            organization.uuid(),
            after,
            person.uuid(),
        )
        .fetch_one(&self.pool)
        .await?;
        u64::try_from(count).ok().ok_or(Error::Corrupt("exports"))
    }

    /// Stores the state and the end of an export. Guarded: `before` is the MAC of the row as it was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
    pub async fn update_export(&self, row: &ExportRow, before: &[u8; 32]) -> Result<(), Error> {
        update(self.writable().await?, row, before).await
    }

    /// At most `limit` resources of one type in an organization that are not deleted, in the order of their ids: those
    /// after the id `after` whose current version was stored at or after `since`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ids_of_type(
        &self,
        organization: OrganizationId,
        kind: &str,
        since: Option<OffsetDateTime>,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<OwnedId>, Error> {
        const CORRUPT: Error = Error::Corrupt("resources");
        let after = after.map_or(Some(0), |after| after.as_u128().checked_add(1));
        let Some(from) = after.map(Uuid::from_u128) else {
            return Ok(Vec::new());
        };
        // The index is forced, since the server otherwise sorts all resources of the organization.
        let records = sqlx::query!(
            r#"SELECT id AS "id: Uuid", owner_kind, owner
               FROM resources FORCE INDEX (resources_id)
               WHERE organization = ? AND kind = ? AND id >= ? AND deleted IS NULL AND updated_at >= ?
               ORDER BY id LIMIT ?"#,
            organization.uuid(),
            kind,
            from,
            since.unwrap_or(OffsetDateTime::UNIX_EPOCH),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let found = records.into_iter().map(|record| {
            let kind = OwnerKind::from_code(record.owner_kind).ok_or(CORRUPT)?;
            let owner = StoredValue::from_raw(record.owner).ok_or(CORRUPT)?;
            let owner = Owner::from_parts(organization, kind, owner).ok_or(CORRUPT)?;
            Ok(OwnedId {
                id: record.id,
                owner,
            })
        });
        let found: Vec<OwnedId> = found.collect::<Result<_, Error>>()?;
        // The caller's progress depends on it.
        let is_after = found.first().is_none_or(|first| first.id >= from);
        if is_after && found.is_sorted_by(|a, b| a.id < b.id) {
            Ok(found)
        } else {
            Err(Error::NotRequested("resources"))
        }
    }
}

impl Transaction {
    /// Inserts an export.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn insert_export(&mut self, row: &ExportRow) -> Result<(), Error> {
        self.insert(std::slice::from_ref(row)).await
    }

    /// Stores the end of an export, in the transaction of its event. Guarded as [`Database::update_export`].
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
    pub async fn end_export(&mut self, row: &ExportRow, before: &[u8; 32]) -> Result<(), Error> {
        update(&mut *self.inner, row, before).await
    }
}

async fn update<'e>(
    executor: impl sqlx::MySqlExecutor<'e>,
    row: &ExportRow,
    before: &[u8; 32],
) -> Result<(), Error> {
    let updated = sqlx::query!(
        "UPDATE exports SET state = ?, ended_at = ?, mac_key = ?, mac = ?
             WHERE organization = ? AND id = ? AND mac = ?",
        row.state.as_bytes(),
        row.ended_at,
        row.mac.key().uuid(),
        &row.mac.as_bytes()[..],
        row.organization.uuid(),
        row.id,
        &before[..],
    )
    .execute(executor)
    .await?;
    Error::unless_updated(updated.rows_affected())
}
