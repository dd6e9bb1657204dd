//! Tables `changes` and `change_counters`: the change feed of each organization, and its end.
//!
//! A transaction locks the counter in its last statement before the audit event, so that sequence numbers are in the
//! order of commits.

use db_macros::table;
use phi_types::ChangeKind;
use phi_types::OrganizationId;
use phi_types::RowId;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;
use crate::requested::ensure_all;
use crate::requested::json_ids;

table! {
    /// An entry of the change feed.
    pub struct ChangeRow: CHANGES, row row_id, select select_changes {
        /// The organization.
        1 organization: OrganizationId,
        /// The row's id.
        2 row_id: RowId,
        /// The incarnation of the feed: a random id, made with the organization. A restored backup needs a new one.
        3 incarnation: Uuid,
        /// The position in the feed: from 1, without gaps.
        4 sequence: u64,
        /// The digest of the entry before; zeros for the first.
        5 previous: [u8; 32],
        /// The kind of thing that was changed.
        6 kind: ChangeKind,
        /// The id of the changed thing.
        7 subject: Uuid,
    }
}

table! {
    /// The end of an organization's feed.
    pub struct ChangeCounterRow: CHANGE_COUNTERS, row organization, select select_change_counters {
        /// The organization.
        1 organization: OrganizationId,
        /// The incarnation of the feed.
        2 incarnation: Uuid,
        /// The sequence number of the newest change; 0 for none.
        volatile 3 sequence: u64,
        /// The digest of the newest change; zeros for none.
        volatile 4 digest: [u8; 32],
        /// The sequence number of the newest change that concerns access; 0 for none.
        volatile 5 access: u64,
    }
}

impl Database {
    /// The ends of the feeds of `organizations`, as far as they have one, in no particular order.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn change_counters(
        &self,
        organizations: &[OrganizationId],
    ) -> Result<Vec<ChangeCounterRow>, Error> {
        let records = select_change_counters!(
            "JOIN JSON_TABLE(?, '$[*]' COLUMNS (
                    id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) wanted
               ON t.organization = UNHEX(wanted.id)",
            json_ids(organizations.iter().map(|organization| organization.uuid())),
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(ChangeCounterRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested = |row: &ChangeCounterRow| organizations.contains(&row.organization);
        ensure_all(
            "change_counters",
            rows,
            |row| row.organization,
            is_requested,
        )
    }

    /// The changes after `sequence`, at most `limit`, in ascending order.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn changes_after(
        &self,
        organization: OrganizationId,
        incarnation: Uuid,
        sequence: u64,
        limit: u32,
    ) -> Result<Vec<ChangeRow>, Error> {
        let records = select_changes!(
            "WHERE t.organization = ? AND t.incarnation = ? AND t.sequence > ? ORDER BY t.sequence LIMIT ?",
            organization.uuid(),
            incarnation,
            sequence,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(ChangeRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested = |row: &ChangeRow| {
            row.organization == organization
                && row.incarnation == incarnation
                && row.sequence > sequence
        };
        ensure_all("changes", rows, |row| row.sequence, is_requested)
    }
}

impl Transaction {
    /// The end of an organization's feed, locked until the transaction ends.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lock_change_counter(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Option<ChangeCounterRow>, Error> {
        let record =
            select_change_counters!("WHERE t.organization = ? FOR UPDATE", organization.uuid(),)
                .fetch_optional(&mut *self.inner)
                .await?;
        ensure_counter(organization, record.map(ChangeCounterRow::try_from))
    }

    /// The end of an organization's feed, as last committed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn change_counter(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Option<ChangeCounterRow>, Error> {
        let record = select_change_counters!("WHERE t.organization = ?", organization.uuid())
            .fetch_optional(&mut *self.inner)
            .await?;
        ensure_counter(organization, record.map(ChangeCounterRow::try_from))
    }

    /// Begins an organization's feed.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] if it has one.
    pub async fn insert_change_counter(&mut self, row: &ChangeCounterRow) -> Result<(), Error> {
        self.insert(std::slice::from_ref(row)).await
    }

    /// Inserts changes and moves the feed's end to the last of them. Guarded: `before` is the MAC of the counter as it
    /// was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the counter has changed; [`Error::UniqueViolation`] if a position in the feed is taken.
    pub async fn append_changes(
        &mut self,
        rows: &[ChangeRow],
        counter: &ChangeCounterRow,
        before: &[u8; 32],
    ) -> Result<(), Error> {
        self.insert(rows).await?;
        let updated = sqlx::query!(
            "UPDATE change_counters SET sequence = ?, digest = ?, access = ?, mac_key = ?, mac = ?
             WHERE organization = ? AND mac = ?",
            counter.sequence,
            &counter.digest[..],
            counter.access,
            counter.mac.key().uuid(),
            &counter.mac.as_bytes()[..],
            counter.organization.uuid(),
            &before[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }
}

fn ensure_counter(
    organization: OrganizationId,
    row: Option<Result<ChangeCounterRow, Error>>,
) -> Result<Option<ChangeCounterRow>, Error> {
    let is_requested = |row: &ChangeCounterRow| row.organization == organization;
    row.transpose()?
        .map(|row| ensure("change_counters", row, is_requested))
        .transpose()
}
