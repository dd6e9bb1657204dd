//! Appending to a feed, within the transaction that makes the changes.

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
use crate::services::written::written;

/// The digest before the first change.
const NONE: [u8; 32] = [0; 32];

/// Changes were not appended; the transaction must end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    /// The end of the feed is missing or was tampered with, or its key cannot be had.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The statements failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// What was appended.
#[derive(Debug)]
pub(crate) struct Appended {
    /// The rows, for the audit event.
    pub(crate) rows: Vec<WrittenRow>,
    /// The place of the last change.
    pub(crate) sequence: u64,
    /// The newest change before these that concerns access.
    pub(crate) access: u64,
}

/// The end of a new organization's feed, which is empty.
pub(crate) fn first_counter(
    key: &AuthorizationKey,
    organization: OrganizationId,
) -> ChangeCounterRow {
    key.authenticate(ChangeCounterRow {
        organization,
        incarnation: RowId::random().uuid(),
        sequence: 0,
        digest: NONE,
        access: 0,
        mac: RowMac::UNSET,
    })
}

impl ChangeFeed {
    /// Appends changes to an organization's feed. Locks its end until the transaction ends, so that the order of
    /// places is the order of commits: call it last.
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
        let row = row.ok_or_else(|| missing(organization))?;
        let mut end = self.keys.verify(organization, row).await?.into_inner();
        let (before, access) = (*end.mac.as_bytes(), end.access);
        let mut rows = Vec::with_capacity(changes.len());
        for change in changes {
            rows.push(next(&key, &mut end, *change));
        }
        let end = key.authenticate(end);
        transaction.append_changes(&rows, &end, &before).await?;
        Ok(Appended {
            rows: rows.iter().map(written).collect(),
            sequence: end.sequence,
            access,
        })
    }

    /// The newest change of an organization that concerns access, as a transaction sees it.
    ///
    /// # Errors
    ///
    /// See [`AppendError`].
    pub(crate) async fn access_in(
        &self,
        transaction: &mut Transaction,
        organization: OrganizationId,
    ) -> Result<u64, AppendError> {
        let end = transaction.change_counter(organization).await?;
        Ok(end.ok_or_else(|| missing(organization))?.access)
    }
}

/// The next change of a feed, whose end moves to it.
fn next(key: &AuthorizationKey, end: &mut ChangeCounterRow, change: Change) -> ChangeRow {
    let row = key.authenticate(ChangeRow {
        organization: end.organization,
        row_id: RowId::random(),
        incarnation: end.incarnation,
        sequence: end.sequence + 1,
        previous: end.digest,
        kind: change.kind,
        subject: change.subject,
        mac: RowMac::UNSET,
    });
    end.sequence = row.sequence;
    end.digest = row_digest(&row);
    if change.kind.concerns_access() {
        end.access = row.sequence;
    }
    row
}

/// Reports an organization without the end of its feed.
pub(crate) fn missing(organization: OrganizationId) -> OpenError {
    let reason = "the end of the change feed is missing";
    Tampering::report("change_counters", reason, organization, None::<Uuid>).into()
}
