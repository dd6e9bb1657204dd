//! The audit trail: writes events durably, before anything is disclosed.
//!
//! - A read's event is committed before the response leaves, through [`access::Trail`]. Concurrent events share
//!   commits (`group`).
//! - A write's event commits in the write's own transaction: [`AuditTrail::commit_with`].
//!
//! Either way the event takes the next place in a hash chain of this instance (`chains`), and its body is sealed
//! under the organization's audit-year key (`seal`), which is made with its owner when a year's first event is
//! written (`year`).

mod address;
mod chains;
mod commit;
mod group;
mod read;
mod seal;
mod year;

use std::net::IpAddr;
use std::sync::Arc;

use access::CallerEvent;
use access::Credential;
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
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::feed;
use crate::services::feed::AppendError;
use crate::services::feed::Change;
use crate::services::feed::ChangeFeed;
use crate::services::keys::Keys;
use crate::services::owners::LockError;
use chains::ChainPool;

pub(crate) use read::LatestEvents;
pub(crate) use seal::audit_year;
pub(crate) use seal::is_authentic;
pub(crate) use seal::seal as seal_under;
pub(crate) use year::ensure_due;
pub(crate) use year::system_event;

/// An event was not written; what it would have disclosed is not disclosed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrailError {
    /// The audit keys cannot be had.
    #[error("audit keys: {0}")]
    Keys(#[from] KeyError),
    /// A row that the trail depends on was tampered with.
    #[error("audit owner: {0}")]
    Open(#[from] OpenError),
    /// The event could not be stored.
    #[error("audit events: {0}")]
    Database(#[from] db::Error),
    /// The event has no encoding.
    #[error("audit body: {0}")]
    Body(#[from] audit::BodyError),
    /// The event could not be sealed.
    #[error("audit body: {0}")]
    Seal(#[from] SealError),
    /// The change feed could not be appended to.
    #[error("change feed: {0}")]
    Feed(#[from] AppendError),
    /// The change feed could not be read: whether the caller may still act is unknown.
    #[error("the change feed cannot be read")]
    Unread,
    /// The caller's session has ended, or the role has changed.
    #[error("the caller may no longer act: {0}")]
    Caller(ServiceError),
    /// The event's time is in a year that the database's clock is not near to.
    #[error("the clock of this instance or of the database is wrong")]
    Clock,
    /// The writer of the trail has ended: the process is shutting down.
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

/// A sealed event without a place in a chain.
#[derive(Debug)]
pub(crate) struct SealedEvent {
    unplaced: UnplacedEvent,
    body: Sealed<AuditBody>,
    rows: Vec<WrittenRow>,
    changes: Vec<Change>,
    caller: Option<EventCaller>,
}

/// The caller of an event, as access was decided.
#[derive(Debug)]
struct EventCaller {
    credential: Credential,
    role: String,
}

impl SealedEvent {
    /// The same event, which lists the rows written with it.
    pub(crate) fn listing(mut self, rows: Vec<WrittenRow>) -> Self {
        self.unplaced.rows = RowsCommitment::of(&rows);
        self.rows = rows;
        self
    }

    /// The same event, whose transaction makes these changes: they are appended to the change feed with it.
    pub(crate) fn changing(mut self, changes: Vec<Change>) -> Self {
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
    group: group::GroupCommit,
    addresses: address::PseudonymCache,
    /// Held by the request that begins an audit year.
    beginning: Arc<tokio::sync::Mutex<()>>,
    refusals: Arc<RefusalBudget>,
}

impl AuditTrail {
    /// The trail of this instance. Must be called within a tokio runtime.
    pub(crate) fn new(
        keys: Keys,
        database: Database,
        feed: ChangeFeed,
        callers: Callers,
        clock: Clock,
    ) -> Self {
        let chains = ChainPool::default();
        let writer = group::Writer {
            keys: keys.clone(),
            database: database.clone(),
            feed: feed.clone(),
            chains: chains.clone(),
        };
        Self {
            group: group::GroupCommit::start(writer),
            addresses: address::PseudonymCache::default(),
            beginning: Arc::default(),
            refusals: Arc::new(RefusalBudget::new(MAX_CALLER_REFUSALS_PER_MINUTE)),
            keys,
            database,
            feed,
            callers,
            clock,
            chains,
        }
    }

    /// Whether events are written: without it nothing is disclosed and nothing changes.
    pub(crate) fn is_running(&self) -> bool {
        self.group.is_running()
    }

    /// Records an event that has no caller, durably.
    pub(crate) async fn record(
        &self,
        organization: OrganizationId,
        source: Option<IpAddr>,
        event: Event,
    ) -> Result<(), TrailError> {
        let event = self.seal(organization, source, event).await?;
        self.group.commit(event).await?;
        Ok(())
    }

    /// Seals a caller's event, for [`Self::commit_with`].
    pub(crate) async fn seal_event(&self, event: CallerEvent) -> Result<SealedEvent, TrailError> {
        let caller = EventCaller {
            credential: event.credential(),
            role: event.event().role.clone().unwrap_or_default(),
        };
        let (event, organization, source) = event.into_parts();
        let sealed = self.seal(organization, source, event).await?;
        Ok(SealedEvent {
            caller: Some(caller),
            ..sealed
        })
    }

    /// Seals an event, for [`Self::commit_with`].
    pub(crate) async fn seal(
        &self,
        organization: OrganizationId,
        source: Option<IpAddr>,
        mut event: Event,
    ) -> Result<SealedEvent, TrailError> {
        #[cfg(feature = "next-release")]
        crate::services::next_release::rename(&mut event);
        let scope = self.audit_scope(organization, event.at).await?;
        // Opened before the caller's transaction holds a connection: a load would take a second one.
        self.keys.authorization(OrganizationId::SYSTEM).await?;
        self.keys.authorization(organization).await?;
        if let Some(address) = source {
            event.source = Some(self.pseudonym(&scope, address, event.at).await?);
        }
        seal::seal(&scope, &event)
    }

    /// Records summaries of suppressed refusals: see [`access::flush_refusals`].
    pub(crate) async fn flush_refusals(self) {
        let mut interval = tokio::time::interval(std::time::Duration::from_mins(1));
        loop {
            interval.tick().await;
            if let Err(error) = access::flush_refusals(&self, access::Windows::Ended).await {
                tracing::warn!(%error, "suppressed refusals are not recorded yet");
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
        let access = self.group.commit(event).await?;
        let Some(EventCaller { credential, role }) = caller else {
            return Ok(());
        };
        let access = access.ok_or_else(|| feed::missing(organization))?;
        let checked = self
            .callers
            .ensure_current(organization, credential, &role, access);
        checked.await.map_err(TrailError::Caller)
    }

    fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    fn refusals(&self) -> &RefusalBudget {
        &self.refusals
    }
}
