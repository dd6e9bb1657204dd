//! The audit trail: events are durable before anything is disclosed (45 CFR 164.312(b)).
//!
//! - The event of a read is committed before the response is sent, through [`access::Trail`].
//!   Concurrent events share commits (`group_commit`).
//! - The event of a write is committed in the write's own transaction: [`AuditTrail::commit_with`].
//!
//! In both cases the event is appended to a hash chain of this instance (`chain_pool`), and its
//! body is sealed under the organization's audit-year key (`seal`), which is created together with
//! its owner for the first event of a year (`year`).

mod address_pseudonym;
mod chain_pool;
mod commit;
mod group_commit;
mod newest;
mod read;
mod seal;
mod year;

use std::net::IpAddr;
use std::sync::Arc;

use access::CallerEvent;
use access::RefusalBudget;
use audit::Event;
use audit::Outcome;
use audit::RowsCommitment;
use audit::UnplacedEvent;
use audit::WrittenRow;
use db::Database;
use phi::KeyError;
use phi::OpenError;
use phi::OrganizationId;
use phi::SealError;
use phi::Sealed;
use phi::columns::AuditBody;
use time::OffsetDateTime;

use crate::limits::MAX_CALLER_REFUSALS_PER_MINUTE;
use crate::services::callers::Callers;
use crate::services::callers::EventCaller;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::feed;
use crate::services::feed::AppendError;
use crate::services::feed::Change;
use crate::services::feed::ChangeFeed;
use crate::services::keys::Keys;
use crate::services::owners::LockError;
use address_pseudonym::PseudonymCache;
use chain_pool::ChainPool;
use group_commit::GroupCommit;
use group_commit::GroupWriter;

pub(crate) use commit::retry_conflicts;
pub(crate) use newest::ensure_digest;
pub(crate) use newest::ensure_newest;
pub(crate) use read::LatestEvents;
pub(crate) use seal::audit_year;
pub(crate) use seal::is_authentic;
pub(crate) use seal::seal_event_under;
pub(crate) use year::ensure_year_is_current;
pub(crate) use year::system_event;

/// The error of an event that was not written. Then its data is not disclosed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrailError {
    /// An audit key is unavailable.
    #[error("audit keys: {0}")]
    Keys(#[from] KeyError),
    /// A row that the trail depends on was tampered with.
    #[error("audit keys or owner: {0}")]
    Open(#[from] OpenError),
    /// The event could not be stored.
    #[error("audit events: {0}")]
    Database(#[from] db::Error),
    /// The event cannot be encoded.
    #[error("audit body: {0}")]
    Body(#[from] audit::BodyError),
    /// The event could not be sealed.
    #[error("audit body: {0}")]
    Seal(#[from] SealError),
    /// The change feed could not be appended to.
    #[error("change feed: {0}")]
    Feed(#[from] AppendError),
    /// The change feed could not be read, so that it is unknown whether the caller may still act.
    #[error("the change feed cannot be read")]
    FeedUnavailable,
    /// The caller's session has ended, or the role has changed.
    #[error("the caller may no longer act: {0}")]
    Caller(ServiceError),
    /// The event's time is in a year that is more than a day from the database's time.
    #[error("the clock of this instance or of the database is wrong")]
    Clock,
    /// The task that writes events has ended: the process is shutting down.
    #[error("the audit trail is closed")]
    Stopped,
}

impl From<LockError> for TrailError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Database(error) => error.into(),
            LockError::Open(error) => error.into(),
        }
    }
}

/// A sealed event without a position in a chain.
#[derive(Debug)]
pub(crate) struct SealedEvent {
    unplaced: UnplacedEvent,
    body: Sealed<AuditBody>,
    rows: Vec<WrittenRow>,
    changes: Vec<Change>,
    caller: Option<EventCaller>,
}

impl SealedEvent {
    /// The same event with the list of the rows that its transaction writes.
    pub(crate) fn with_rows(mut self, rows: Vec<WrittenRow>) -> Self {
        self.unplaced.rows = RowsCommitment::of(&rows);
        self.rows = rows;
        self
    }

    /// The same event with the changes of its transaction, which are appended to the change feed.
    pub(crate) fn with_changes(mut self, changes: Vec<Change>) -> Self {
        self.changes = changes;
        self
    }
}

/// The audit trail of this instance.
#[derive(Clone, Debug)]
pub(crate) struct AuditTrail {
    keys: Keys,
    database: Database,
    feed: ChangeFeed,
    callers: Callers,
    clock: Clock,
    chains: ChainPool,
    group_commit: GroupCommit,
    pseudonyms: PseudonymCache,
    /// Held by the request that begins an audit year.
    year_lock: Arc<tokio::sync::Mutex<()>>,
    refusals: Arc<RefusalBudget>,
}

impl AuditTrail {
    /// A trail over these services, with its writing task. Must be called within a tokio runtime.
    pub(crate) fn new(
        keys: Keys,
        database: Database,
        feed: ChangeFeed,
        callers: Callers,
        clock: Clock,
    ) -> Self {
        let chains = ChainPool::default();
        let writer = GroupWriter {
            keys: keys.clone(),
            database: database.clone(),
            feed: feed.clone(),
            chains: chains.clone(),
        };
        Self {
            group_commit: GroupCommit::start(writer),
            pseudonyms: PseudonymCache::default(),
            year_lock: Arc::default(),
            refusals: Arc::new(RefusalBudget::new(MAX_CALLER_REFUSALS_PER_MINUTE)),
            keys,
            database,
            feed,
            callers,
            clock,
            chains,
        }
    }

    /// Whether events can be written. Otherwise every disclosure fails.
    pub(crate) fn is_running(&self) -> bool {
        self.group_commit.is_running()
    }

    /// Records an event without a caller, durably.
    pub(crate) async fn record(
        &self,
        organization: OrganizationId,
        source: Option<IpAddr>,
        event: Event,
    ) -> Result<(), TrailError> {
        let event = self.seal(organization, source, event).await?;
        self.group_commit.commit(event).await?;
        Ok(())
    }

    /// Seals the event of a caller, for [`Self::commit_with`].
    pub(crate) async fn seal_event(&self, event: CallerEvent) -> Result<SealedEvent, TrailError> {
        let caller = EventCaller {
            credential: event.credential(),
            role: event.event().role.clone().unwrap_or_default(),
            charts: event.reached_charts(),
            at: event.event().at,
        };
        let (event, organization, source) = event.into_parts();
        let sealed = self.seal(organization, source, event).await?;
        Ok(SealedEvent {
            caller: Some(caller),
            ..sealed
        })
    }

    /// Seals an event without a caller, for [`Self::commit_with`].
    pub(crate) async fn seal(
        &self,
        organization: OrganizationId,
        source: Option<IpAddr>,
        mut event: Event,
    ) -> Result<SealedEvent, TrailError> {
        #[cfg(feature = "next-release")]
        crate::services::next_release::rename(&mut event);
        let scope = self.audit_scope(organization, event.at).await?;
        // Loaded into the cache before the transaction holds a connection: loading needs another
        // one.
        self.keys.authorization(OrganizationId::SYSTEM).await?;
        self.keys.authorization(organization).await?;
        if let Some(address) = source {
            event.source = Some(self.pseudonym(&scope, address, event.at).await?);
        }
        seal_event_under(&scope, &event)
    }

    /// Each minute, records summaries of suppressed refusals: see [`access::flush_refusals`].
    pub(crate) async fn flush_refusals(self) {
        let mut interval = tokio::time::interval(std::time::Duration::from_mins(1));
        loop {
            interval.tick().await;
            if let Err(error) = access::flush_refusals(&self, access::Windows::Ended).await {
                tracing::warn!(%error, "suppressed refusals cannot be recorded yet");
            }
        }
    }
}

impl access::Trail for AuditTrail {
    type Error = TrailError;

    async fn commit(&self, event: CallerEvent) -> Result<(), TrailError> {
        // A refusal discloses nothing, and is recorded even if the session has ended meanwhile.
        let discloses = matches!(event.event().outcome, Outcome::Success | Outcome::Partial);
        let event = self.seal_event(event).await?;
        let organization = OrganizationId::from_uuid(event.unplaced.organization);
        let caller = event.caller.filter(|_| discloses);
        let event = SealedEvent {
            caller: None,
            ..event
        };
        let access_sequence = self.group_commit.commit(event).await?;
        let Some(caller) = caller else {
            return Ok(());
        };
        let access_sequence = access_sequence.ok_or_else(|| feed::missing_counter(organization))?;
        let checked = self
            .callers
            .ensure_current(organization, &caller, access_sequence);
        checked.await.map_err(TrailError::Caller)
    }

    fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    fn refusals(&self) -> &RefusalBudget {
        &self.refusals
    }
}
