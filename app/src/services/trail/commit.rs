//! Commits of transactions together with their event: first the changes are appended to the feed,
//! then the event to a chain.

use audit::RowsCommitment;
use db::EventRow;
use db::Transaction;
use phi::AuthorizationKey;
use phi::OrganizationId;

use super::AuditTrail;
use super::SealedEvent;
use super::TrailError;
use super::seal;

impl AuditTrail {
    /// Commits a transaction together with its event.
    ///
    /// # Errors
    ///
    /// See [`TrailError`]. Nothing was written, with one exception: if the connection is lost
    /// during the commit and the database stays unreachable, the outcome is unknown.
    pub(crate) async fn commit_with(
        &self,
        transaction: Transaction,
        event: SealedEvent,
    ) -> Result<(), TrailError> {
        let system = self.keys.authorization(OrganizationId::SYSTEM).await?;
        self.commit_with_key(&system, transaction, event).await
    }

    /// The same as [`Self::commit_with`], with an authorization key of the system that may not be
    /// stored yet.
    pub(crate) async fn commit_with_key(
        &self,
        system: &AuthorizationKey,
        transaction: Transaction,
        event: SealedEvent,
    ) -> Result<(), TrailError> {
        let (mut transaction, event, sequence) = self.append_changes(transaction, event).await?;
        let organization = OrganizationId::from_uuid(event.unplaced.organization);
        let id = event.unplaced.event;
        let month = audit::month(event.unplaced.at);
        let chain = self.chains.checkout();
        let rows = place_events(&chain, system, vec![event]);
        transaction.insert_events(&rows).await?;
        // The chain returns to the pool only if the server confirms the commit.
        match transaction.commit().await {
            Ok(()) => {
                self.chains.checkin(chain, &rows);
                self.feed.on_committed(organization, sequence);
                Ok(())
            }
            Err(error) if self.database.has_event(month, id).await.unwrap_or(false) => {
                tracing::warn!(%error, "a commit succeeded, but its confirmation was lost");
                self.feed.on_committed(organization, sequence);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Appends the changes of an event's transaction to the feed, and checks that its caller may
    /// still act. Returns the event, which then lists the changes, and the sequence number of the
    /// last one.
    ///
    /// # Errors
    ///
    /// [`db::Error::Conflict`] if the caller may still act, but the check had to end the
    /// transaction: it may be retried.
    async fn append_changes(
        &self,
        mut transaction: Transaction,
        mut event: SealedEvent,
    ) -> Result<(Transaction, SealedEvent, u64), TrailError> {
        let organization = OrganizationId::from_uuid(event.unplaced.organization);
        let changes = std::mem::take(&mut event.changes);
        let mut sequence = 0;
        let access_sequence = if !changes.is_empty() {
            let appended = self
                .feed
                .append(&mut transaction, organization, &changes)
                .await?;
            event.rows.extend(appended.rows);
            event.unplaced.rows = RowsCommitment::of(&event.rows);
            sequence = appended.sequence;
            appended.former_access_sequence
        } else if event.caller.is_some() {
            let sequence = self.feed.access_sequence_in(&mut transaction, organization);
            sequence.await?
        } else {
            0
        };
        if let Some(caller) = &event.caller
            && !self.callers.is_cached_since(access_sequence, caller)
        {
            // The check needs a connection, so this transaction releases its own first, and its
            // locks.
            transaction.rollback().await?;
            let checked = self
                .callers
                .ensure_current(organization, caller, access_sequence);
            checked.await.map_err(TrailError::Caller)?;
            return Err(db::Error::Conflict.into());
        }
        Ok((transaction, event, sequence))
    }
}

/// Maximum attempts at a transaction that conflicts with another.
const MAX_ATTEMPTS: usize = 3;

/// Repeats a transaction after a conflict: a row has changed, or the caller of its event had to be checked again, which ends a
/// transaction.
///
/// # Errors
///
/// The error of the last attempt.
pub(crate) async fn retry_conflicts<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, TrailError>
where
    F: Future<Output = Result<T, TrailError>>,
{
    for _ in 1..MAX_ATTEMPTS {
        match attempt().await {
            Err(TrailError::Database(db::Error::Conflict)) => {}
            done => return done,
        }
    }
    attempt().await
}

/// The rows of events at the end of `chain`, each with its MAC.
pub(super) fn place_events(
    chain: &audit::HashChain,
    system: &AuthorizationKey,
    events: Vec<SealedEvent>,
) -> Vec<EventRow> {
    let unplaced: Vec<_> = events.iter().map(|event| event.unplaced).collect();
    chain
        .place(&unplaced)
        .into_iter()
        .zip(events)
        .map(|(entry, event)| EventRow {
            mac_key: system.key_id(),
            mac: system.message_mac(seal::ENTRY_LABEL, &entry.encode()),
            entry,
            body: event.body,
            rows: event.rows,
        })
        .collect()
}
