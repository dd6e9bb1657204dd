//! The queries of versions by age: the history of one resource, and that of all resources of one type in an owner.
//!
//! Callers read the lengths first, and reserve memory before they read the versions. A length is the database's claim. It
//! determines only how many rows are read at once.

use phi_types::OrganizationId;
use phi_types::Owner;
use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::UtcOffset;
use time::macros::datetime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::ResourceKey;
use crate::VersionRow;
use crate::resource_versions::VersionRowRecord;
use crate::resource_versions::select_versions;

const TABLE: &str = "resource_versions";

/// A position in the history of a type, which is ordered by time, id and version.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct HistoryPosition {
    /// The time at which the version was stored.
    pub at: OffsetDateTime,
    /// The resource's id.
    pub id: Uuid,
    /// The version.
    pub version: u32,
}

impl HistoryPosition {
    /// The position above every version: where the newest page begins.
    const TOP: Self = Self {
        at: datetime!(9999-12-31 23:59:59.999_999 UTC),
        id: Uuid::max(),
        version: u32::MAX,
    };

    /// The position of a version.
    #[must_use]
    pub fn of(row: &VersionRow) -> Self {
        Self {
            at: row.at,
            id: row.id,
            version: row.version,
        }
    }

    /// The time as the type of the column, DATETIME. The driver sends an `OffsetDateTime` as a TIMESTAMP, which in MariaDB
    /// ends in 2038.
    fn stored_at(&self) -> PrimitiveDateTime {
        let at = self.at.to_offset(UtcOffset::UTC);
        PrimitiveDateTime::new(at.date(), at.time())
    }
}

/// The rows, if their positions descend, and each row is a requested one of this owner and type.
fn newest_first<P: Ord>(
    records: Vec<VersionRowRecord>,
    (organization, owner, kind): (OrganizationId, &Owner, &str),
    position: impl Fn(&VersionRow) -> P,
    is_requested: impl Fn(&VersionRow) -> bool,
) -> Result<Vec<VersionRow>, Error> {
    let rows = records.into_iter().map(VersionRow::try_from);
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let is_of_owner = |row: &VersionRow| {
        row.organization == organization
            && row.owner_kind == owner.kind()
            && row.owner == owner.id(organization)
            && row.kind == kind
    };
    let descends = rows.is_sorted_by(|newer, older| position(newer) > position(older));
    if descends && rows.iter().all(|row| is_of_owner(row) && is_requested(row)) {
        Ok(rows)
    } else {
        Err(Error::NotRequested(TABLE))
    }
}

/// Lengths as the driver returns them.
fn bytes(lengths: Vec<i64>) -> Vec<usize> {
    let lengths = lengths.into_iter().map(usize::try_from);
    lengths.map(Result::unwrap_or_default).collect()
}

impl Database {
    /// At most `limit` versions of one resource, which belongs to `owner`, newest first: those below the version `below`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn history(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        key: &ResourceKey,
        below: Option<u32>,
        limit: u32,
    ) -> Result<Vec<VersionRow>, Error> {
        let below = below.unwrap_or(u32::MAX);
        let records = select_versions!(
            "WHERE t.organization = ? AND t.owner_kind = ? AND t.owner = ? AND t.kind = ? AND t.id = ? AND t.version < ?
             ORDER BY t.version DESC LIMIT ?",
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
            key.kind,
            key.id,
            below,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        newest_first(
            records,
            (organization, owner, key.kind),
            |row| row.version,
            |row| row.id == key.id && row.version < below,
        )
    }

    /// The lengths of the sealed bodies that [`Database::history`] returns, in bytes, in the same order.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn history_lengths(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        key: &ResourceKey,
        below: Option<u32>,
        limit: u32,
    ) -> Result<Vec<usize>, Error> {
        let lengths = sqlx::query_scalar!(
            r#"SELECT CAST(LENGTH(body) AS SIGNED) AS "bytes!: i64" FROM resource_versions
               WHERE organization = ? AND owner_kind = ? AND owner = ? AND kind = ? AND id = ? AND version < ?
               ORDER BY version DESC LIMIT ?"#,
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
            key.kind,
            key.id,
            below.unwrap_or(u32::MAX),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(bytes(lengths))
    }

    /// At most `limit` versions of all resources of one type that belong to `owner`, newest first: those after the
    /// position `before`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn history_of(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        kind: &str,
        before: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<Vec<VersionRow>, Error> {
        let before = before.unwrap_or(HistoryPosition::TOP);
        let records = select_versions!(
            "WHERE t.organization = ? AND t.owner_kind = ? AND t.owner = ? AND t.kind = ?
               AND t.at <= ? AND (t.at < ? OR t.id < ? OR t.id = ? AND t.version < ?)
             ORDER BY t.at DESC, t.id DESC, t.version DESC LIMIT ?",
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
            kind,
            before.stored_at(),
            before.stored_at(),
            before.id,
            before.id,
            before.version,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        newest_first(
            records,
            (organization, owner, kind),
            HistoryPosition::of,
            |row| HistoryPosition::of(row) < before,
        )
    }

    /// The lengths of the sealed bodies that [`Database::history_of`] returns, in bytes, in the same order.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn history_lengths_of(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        kind: &str,
        before: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<Vec<usize>, Error> {
        let before = before.unwrap_or(HistoryPosition::TOP);
        let lengths = sqlx::query_scalar!(
            r#"SELECT CAST(LENGTH(body) AS SIGNED) AS "bytes!: i64" FROM resource_versions
               WHERE organization = ? AND owner_kind = ? AND owner = ? AND kind = ?
                 AND at <= ? AND (at < ? OR id < ? OR id = ? AND version < ?)
               ORDER BY at DESC, id DESC, version DESC LIMIT ?"#,
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
            kind,
            before.stored_at(),
            before.stored_at(),
            before.id,
            before.id,
            before.version,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(bytes(lengths))
    }
}
