//! Appends to a feed, within the transaction that makes the changes.

use audit::WrittenRow;
use db::ChangeCounterRow;
use db::ChangeRow;
use db::Transaction;
use phi::AuthorizationKey;
use phi::OpenError;
use phi::OrganizationId;
use phi::RowId;
use phi::RowMac;
use phi::Tampering;
use phi::row_digest;
use uuid::Uuid;

use super::Change;
use super::ChangeFeed;
use crate::services::written_row::written_row;

/// The digest that precedes the first change.
const NO_DIGEST: [u8; 32] = [0; 32];

/// The error of an append or a read of a feed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    /// The change counter is missing or was tampered with, or its key is unavailable.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// The result of an append.
#[derive(Debug)]
pub(crate) struct Appended {
    /// The appended rows, for the audit event.
    pub(crate) rows: Vec<WrittenRow>,
    /// The sequence number of the last appended change.
    pub(crate) sequence: u64,
    /// The sequence number of the newest earlier change that concerns access.
    pub(crate) former_access_sequence: u64,
}

/// The change counter of a new organization, whose feed is empty.
pub(crate) fn first_counter(
    key: &AuthorizationKey,
    organization: OrganizationId,
) -> ChangeCounterRow {
    key.authenticate(ChangeCounterRow {
        organization,
        incarnation: RowId::random().uuid(),
        sequence: 0,
        digest: NO_DIGEST,
        access: 0,
        mac: RowMac::UNSET,
    })
}

impl ChangeFeed {
    /// Appends changes to an organization's feed. Locks its counter until the transaction ends, so
    /// that sequence numbers are in the order of commits: call it last.
    ///
    /// # Errors
    ///
    /// See [`AppendError`].
    pub(crate) async fn append(
        &self,
        transaction: &mut Transaction,
        organization: OrganizationId,
        changes: &[Change],
    ) -> Result<Appended, AppendError> {
        let key = self.keys.authorization(organization).await;
        let key = key.map_err(OpenError::from)?;
        let row = transaction.lock_change_counter(organization).await?;
        let row = row.ok_or_else(|| missing_counter(organization))?;
        let mut counter = self.keys.verify(organization, row).await?.into_inner();
        let (former_mac, former_access_sequence) = (*counter.mac.as_bytes(), counter.access);
        let mut rows = Vec::with_capacity(changes.len());
        for change in changes {
            rows.push(next_row(&key, &mut counter, *change));
        }
        let counter = key.authenticate(counter);
        transaction
            .append_changes(&rows, &counter, &former_mac)
            .await?;
        Ok(Appended {
            rows: rows.iter().map(written_row).collect(),
            sequence: counter.sequence,
            former_access_sequence,
        })
    }

    /// The sequence number of an organization's newest change that concerns access, as a
    /// transaction sees it.
    ///
    /// # Errors
    ///
    /// See [`AppendError`].
    pub(crate) async fn access_sequence_in(
        &self,
        transaction: &mut Transaction,
        organization: OrganizationId,
    ) -> Result<u64, AppendError> {
        let counter = transaction.change_counter(organization).await?;
        Ok(counter.ok_or_else(|| missing_counter(organization))?.access)
    }
}

/// The row of the next change of a feed. Updates the counter, which then has no valid MAC.
fn next_row(key: &AuthorizationKey, counter: &mut ChangeCounterRow, change: Change) -> ChangeRow {
    let row = key.authenticate(ChangeRow {
        organization: counter.organization,
        row_id: RowId::random(),
        incarnation: counter.incarnation,
        sequence: counter.sequence + 1,
        previous: counter.digest,
        kind: change.kind,
        subject: change.subject,
        mac: RowMac::UNSET,
    });
    counter.sequence = row.sequence;
    counter.digest = row_digest(&row);
    if change.kind.concerns_access() {
        counter.access = row.sequence;
    }
    row
}

/// Reports an organization without a change counter.
pub(crate) fn missing_counter(organization: OrganizationId) -> OpenError {
    let reason = "the change counter is missing";
    Tampering::report("change_counters", reason, organization, None::<Uuid>).into()
}
