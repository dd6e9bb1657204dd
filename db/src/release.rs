//! Table `release_floor`: the lowest release that may still write.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::RowId;
use sqlx::MySqlConnection;
use time::OffsetDateTime;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;

/// The number of this build's release. It is higher than that of the release before if this one writes anything that
/// the former does not understand: see "Rolling upgrades" in the README.
pub const RELEASE: u32 = if cfg!(feature = "next-release") { 2 } else { 1 };

table! {
    /// The release floor: the only row of its table. A missing row refuses every write.
    pub struct ReleaseFloorRow: RELEASE_FLOOR, row row_id, select select_release_floor {
        /// The system's reserved organization.
        1 organization: OrganizationId,
        /// The row's id.
        2 row_id: RowId,
        /// The lowest release that may write.
        3 lowest: u32,
        /// The time at which the floor was raised to that.
        4 raised_at: OffsetDateTime,
    }
}

fn ensure_systems(record: ReleaseFloorRowRecord) -> Result<ReleaseFloorRow, Error> {
    let row = ReleaseFloorRow::try_from(record)?;
    let is_systems = |row: &ReleaseFloorRow| row.organization == OrganizationId::SYSTEM;
    ensure("release_floor", row, is_systems)
}

/// The floor, locked in share mode: it cannot be raised until the transaction of `connection` ends.
pub(crate) async fn lock_floor(
    connection: &mut MySqlConnection,
) -> Result<Option<ReleaseFloorRow>, Error> {
    let record = select_release_floor!(
        "WHERE t.organization = ? LOCK IN SHARE MODE",
        OrganizationId::SYSTEM.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    record.map(ensure_systems).transpose()
}

impl Database {
    /// The release floor.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn release_floor(&self) -> Result<Option<ReleaseFloorRow>, Error> {
        let record =
            select_release_floor!("WHERE t.organization = ?", OrganizationId::SYSTEM.uuid())
                .fetch_optional(&self.pool)
                .await?;
        record.map(ensure_systems).transpose()
    }
}

impl Transaction {
    /// Inserts the first floor.
    pub(crate) async fn insert_release_floor(
        &mut self,
        row: &ReleaseFloorRow,
    ) -> Result<(), Error> {
        self.insert(std::slice::from_ref(row)).await
    }

    /// Raises the floor. Waits until every transaction that has locked the lower one has ended. Guarded: `before` is the
    /// MAC of the row as it was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed, or is as high already.
    pub async fn raise_release_floor(
        &mut self,
        row: &ReleaseFloorRow,
        before: &[u8; 32],
    ) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE release_floor SET lowest = ?, raised_at = ?, mac_key = ?, mac = ?
             WHERE organization = ? AND mac = ? AND lowest < ?",
            row.lowest,
            row.raised_at,
            row.mac.key().uuid(),
            &row.mac.as_bytes()[..],
            row.organization.uuid(),
            &before[..],
            row.lowest,
        )
        .execute(&mut *self.inner)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }
}
