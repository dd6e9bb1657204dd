//! Writes the audit trail, and gives out the receipts without which nothing is disclosed.
//!
//! - A read's event is committed before the response leaves: [`Ledger::record`]. Concurrent events
//!   share commits (`group`).
//! - A write's event commits in the write's own transaction: [`Ledger::commit`].
//!
//! Either way the event takes the next place in a lane of this instance's (`lanes`), and its body is
//! sealed under the organization's audit-year key before it is queued (`seal`).

mod address;
mod group;
mod lanes;
mod read;
mod receipt;
mod seal;

use std::net::IpAddr;

use audit::{Draft, Event, RowsDigest};
use db::{Database, EventRow, Transaction};
use phi::{KeyError, OrganizationId, Sealed};

use crate::services::error::ServiceError;
use crate::services::keys::Keys;
use lanes::Lanes;

pub(crate) use receipt::{Disclosed, Receipt};

/// Why an event could not be written; what it would have disclosed is not disclosed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The audit keys cannot be had.
    #[error("audit keys: {0}")]
    Keys(#[from] KeyError),
    /// The event could not be stored.
    #[error("audit events: {0}")]
    Database(#[from] db::Error),
    /// The event has no encoding.
    #[error("audit body: {0}")]
    Body(#[from] audit::BodyError),
    /// The event could not be sealed.
    #[error("audit body: {0}")]
    Seal(#[from] phi::SealError),
    /// The writer of the trail has ended: the process is shutting down.
    #[error("the audit trail is closed")]
    Stopped,
}

impl From<LedgerError> for ServiceError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Keys(error) => error.into(),
            LedgerError::Database(error) => error.into(),
            LedgerError::Body(_) | LedgerError::Seal(_) => Self::internal(error),
            LedgerError::Stopped => Self::unavailable(error),
        }
    }
}

/// An event ready to be placed: sealed and committed to.
#[derive(Debug)]
pub(crate) struct SealedEvent {
    draft: Draft,
    body: Sealed<Vec<u8>>,
}

/// The audit trail of this instance.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    keys: Keys,
    database: Database,
    lanes: Lanes,
    group: group::Group,
    addresses: address::Addresses,
}

impl Ledger {
    /// Opens the trail for this instance.
    pub(crate) fn new(keys: Keys, database: Database) -> Self {
        let lanes = Lanes::default();
        Self {
            group: group::Group::start(keys.clone(), database.clone(), lanes.clone()),
            addresses: address::Addresses::default(),
            keys,
            database,
            lanes,
        }
    }

    /// Records an access, durably, before what was accessed is disclosed.
    ///
    /// # Errors
    ///
    /// See [`LedgerError`]: then nothing may be disclosed.
    pub(crate) async fn record(
        &self,
        organization: OrganizationId,
        source: Option<IpAddr>,
        event: Event,
    ) -> Result<Receipt, LedgerError> {
        let event = self.seal(organization, source, event).await?;
        self.group.commit(event).await
    }

    /// Seals an event that [`Self::commit`] will write.
    ///
    /// # Errors
    ///
    /// See [`LedgerError`].
    pub(crate) async fn seal(
        &self,
        organization: OrganizationId,
        source: Option<IpAddr>,
        mut event: Event,
    ) -> Result<SealedEvent, LedgerError> {
        if let Some(address) = source {
            event.source = Some(self.pseudonym(organization, address, event.at).await?);
        }
        seal::seal(&self.keys, organization, &event).await
    }

    /// Commits a transaction together with the event that tells of it, which names the `rows` that it
    /// wrote.
    ///
    /// # Errors
    ///
    /// See [`LedgerError`]. Nothing was written, unless the server went away during the commit and has
    /// not come back to tell.
    pub(crate) async fn commit(
        &self,
        mut transaction: Transaction,
        mut event: SealedEvent,
        rows: &[[u8; 32]],
    ) -> Result<Receipt, LedgerError> {
        event.draft.rows = RowsDigest::of(rows);
        let id = event.draft.event;
        let system = self.keys.authorization(OrganizationId::SYSTEM).await?;
        let lane = self.lanes.take();
        let placed = place(&lane, &system, vec![event]);
        transaction.insert_events(&placed).await?;
        // Past this point the lane goes back only if the server says that the entry is there.
        match transaction.commit().await {
            Ok(()) => {
                self.lanes.give_back(lane, &placed);
                Ok(Receipt::of_committed())
            }
            Err(error) if self.database.has_event(id).await.unwrap_or(false) => {
                tracing::warn!(%error, "a commit was answered late, and had been done");
                Ok(Receipt::of_committed())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Gives events their places at the end of `lane`, each with its MAC.
fn place(
    lane: &audit::Lane,
    system: &phi::AuthorizationKey,
    events: Vec<SealedEvent>,
) -> Vec<EventRow> {
    let drafts: Vec<Draft> = events.iter().map(|event| event.draft).collect();
    lane.place(&drafts)
        .into_iter()
        .zip(events)
        .map(|(entry, event)| EventRow {
            mac: system.mac("audit-entry", &entry.encode()),
            entry,
            body: event.body,
        })
        .collect()
}
