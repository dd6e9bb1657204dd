//! Committing a transaction with its event: changes to the feed first, then the event in its place.

use audit::RowsCommitment;
use db::EventRow;
use db::Transaction;
use phi::AuthorizationKey;
use phi::OrganizationId;

use super::AuditTrail;
use super::EventCaller;
use super::SealedEvent;
use super::TrailError;
use super::seal;

impl AuditTrail {
    /// Commits a transaction together with the event that describes it, after the changes that it makes.
    ///
    /// # Errors
    ///
    /// See [`TrailError`]. Nothing was written, unless the connection was lost during the commit and the database is
    /// unreachable: then it is unknown.
    pub(crate) async fn commit_with(
        &self,
        transaction: Transaction,
        event: SealedEvent,
    ) -> Result<(), TrailError> {
        let system = self.keys.authorization(OrganizationId::SYSTEM).await?;
        self.commit_under(&system, transaction, event).await
    }

    /// The same, with an authorization key of the system that need not be stored yet.
    pub(crate) async fn commit_under(
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
        let placed = place(&chain, system, vec![event]);
        transaction.insert_events(&placed).await?;
        // From here the chain returns to the pool only if the server confirms that the entry is stored.
        match transaction.commit().await {
            Ok(()) => {
                self.chains.checkin(chain, &placed);
                self.feed.committed(organization, sequence);
                Ok(())
            }
            Err(error) if self.database.has_event(month, id).await.unwrap_or(false) => {
                tracing::warn!(%error, "a commit was confirmed late, and had been done");
                self.feed.committed(organization, sequence);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Appends the changes of an event's transaction to the feed, and checks that its caller may still act. Returns
    /// the event, which then lists the changes, and the place of the last one.
    ///
    /// # Errors
    ///
    /// [`db::Error::Conflict`] if access was decided again: the write may be tried again.
    async fn append_changes(
        &self,
        mut transaction: Transaction,
        mut event: SealedEvent,
    ) -> Result<(Transaction, SealedEvent, u64), TrailError> {
        let organization = OrganizationId::from_uuid(event.unplaced.organization);
        let changes = std::mem::take(&mut event.changes);
        let mut sequence = 0;
        let access = if !changes.is_empty() {
            let appended = self
                .feed
                .append(&mut transaction, organization, &changes)
                .await?;
            event.rows.extend(appended.rows);
            event.unplaced.rows = RowsCommitment::of(&event.rows);
            sequence = appended.sequence;
            appended.access
        } else if event.caller.is_some() {
            self.feed.access_in(&mut transaction, organization).await?
        } else {
            0
        };
        if let Some(EventCaller { credential, role }) = &event.caller
            && !self.callers.is_known(*credential, role, access)
        {
            // Deciding takes a connection: this transaction gives its own back first, and its locks.
            transaction.rollback().await?;
            let checked = self
                .callers
                .ensure_current(organization, *credential, role, access);
            checked.await.map_err(TrailError::Caller)?;
            return Err(db::Error::Conflict.into());
        }
        Ok((transaction, event, sequence))
    }
}

/// Gives events their places at the end of `chain`, each with its MAC.
pub(super) fn place(
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
            mac: system.message_mac(seal::ENTRY, &entry.encode()),
            entry,
            body: event.body,
            rows: event.rows,
        })
        .collect()
}
