//! The callers of requests: sessions and their people, verified, and cached for at most a second.
//!
//! A cached session is used only while the change feed of its organization is polled and contains
//! no newer change that concerns access. Before anything is disclosed, the audit trail checks once
//! more ([`Callers::ensure_current`]): with a session that was revoked meanwhile, on any instance,
//! nothing is disclosed.

mod charts;
mod evidence;
mod session_cache;

use std::sync::Arc;

use access::Caller;
use access::Credential;
use access::CredentialKind;
use access::ReachedCharts;
use access::RequestOrigin;
use db::Database;
use db::SessionRow;
use phi::OrganizationId;
use phi::PersonId;
use phi::SecretToken;
use time::Duration;
use time::OffsetDateTime;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::feed;
use crate::services::feed::ChangeFeed;
use crate::services::keys::Keys;
use evidence::StoredPerson;
use evidence::StoredSession;
use session_cache::CachedSession;
use session_cache::SessionCache;

pub(crate) use charts::is_limited_to_care_teams;
pub(super) use evidence::label;
pub(super) use evidence::method;

/// Minimum time between two writes of a session's last use.
const TOUCH_INTERVAL: Duration = Duration::seconds(30);

/// Limits of sessions: automatic logoff (45 CFR 164.312(a)(2)(iii)).
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionLimits {
    /// Maximum time without a request.
    pub(crate) idle: std::time::Duration,
    /// Maximum lifetime.
    pub(crate) absolute: std::time::Duration,
}

/// The caller of an event, as it was authorized.
#[derive(Debug)]
pub(super) struct EventCaller {
    /// The session or token.
    pub(super) credential: Credential,
    /// The name of the role.
    pub(super) role: String,
    /// The charts that the caller reached, of those that the event names.
    pub(super) charts: ReachedCharts,
    /// The time of the event.
    pub(super) at: OffsetDateTime,
}

/// Whether a request is a use of its session, from which the idle time is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SessionUse {
    /// The request counts as activity: it restarts the idle timeout.
    Counted,
    /// The request is not activity: the browser sent it by itself, as for a page's `Refresh`.
    NotCounted,
}

/// A caller with the end of its session.
#[derive(Debug)]
pub(crate) struct AuthenticatedCaller {
    pub(crate) caller: Caller,
    /// The time at which the session ends if it is not used again.
    pub(crate) ends_at: OffsetDateTime,
}

/// The authentication of callers, with a cache of their sessions.
#[derive(Clone, Debug)]
pub(crate) struct Callers {
    database: Database,
    keys: Keys,
    feed: ChangeFeed,
    limits: SessionLimits,
    clock: Clock,
    cache: SessionCache,
}

impl Callers {
    /// The service over these services, with an empty cache.
    pub(crate) fn new(
        database: Database,
        keys: Keys,
        feed: ChangeFeed,
        limits: SessionLimits,
        clock: Clock,
    ) -> Self {
        Self {
            database,
            keys,
            feed,
            limits,
            clock,
            cache: SessionCache::default(),
        }
    }

    /// The limits of sessions.
    pub(crate) const fn limits(&self) -> SessionLimits {
        self.limits
    }

    /// The caller with a cookie or bearer token, if the session is in force.
    ///
    /// # Errors
    ///
    /// The keys or the database are unavailable. A row that was tampered with is reported, and
    /// authenticates no caller.
    pub(crate) async fn authenticate(
        &self,
        token: &SecretToken,
        kind: CredentialKind,
        origin: RequestOrigin,
        session_use: SessionUse,
    ) -> Result<Option<AuthenticatedCaller>, ServiceError> {
        let hash = token.hash(label(kind));
        let session = match self.cached(&hash) {
            Some(session) if self.is_newest(&session).await? => Some(session),
            Some(_) | None => self.read_uncached(hash).await?,
        };
        let Some(session) = session else {
            return Ok(None);
        };
        let Some(caller) = self.caller(&session, kind, origin) else {
            return Ok(None);
        };
        let seen_at = match (kind, session_use) {
            (CredentialKind::Session, SessionUse::Counted) => self.touch(&session).await?,
            _ => session.session.seen_at,
        };
        let ends_at = match kind {
            CredentialKind::Session => self.end_of(&session.session, seen_at),
            CredentialKind::Token => session.session.expires_at,
        };
        Ok(Some(AuthenticatedCaller { caller, ends_at }))
    }

    /// The person of a session of a browser, also of one that has ended.
    ///
    /// # Errors
    ///
    /// The keys or the database are unavailable. A row that was tampered with is reported, and names no person.
    pub(crate) async fn former_person(
        &self,
        token: &SecretToken,
    ) -> Result<Option<(OrganizationId, PersonId)>, ServiceError> {
        let hash = token.hash(label(CredentialKind::Session));
        let Some(row) = self.database.session(hash).await? else {
            return Ok(None);
        };
        let organization = row.organization;
        let session = self.keys.verify_untampered(organization, row).await?;
        Ok(session.map(|session| (organization, session.person)))
    }

    /// Whether a session of a browser has ended by its limits of time.
    pub(super) fn is_over(&self, session: &SessionRow) -> bool {
        self.end_of(session, session.seen_at) <= self.clock.now()
    }

    /// The end of a session of a browser that was used last at `seen_at`.
    fn end_of(&self, session: &SessionRow, seen_at: OffsetDateTime) -> OffsetDateTime {
        session.expires_at.min(seen_at + self.limits.idle)
    }

    /// Whether the session of an event's caller is cached, was read after the change with this sequence number, and still
    /// permits the event.
    pub(super) fn is_cached_since(&self, access_sequence: u64, caller: &EventCaller) -> bool {
        let session = self.cache.get(&caller.credential.hash);
        session.is_some_and(|session| {
            session.access_sequence >= access_sequence && self.permits(&session, caller)
        })
    }

    /// Whether a session is in force with the role and the charts that an event's caller had when it was authorized.
    fn permits(&self, session: &CachedSession, event: &EventCaller) -> bool {
        let origin = RequestOrigin {
            request: uuid::Uuid::nil(),
            source: None,
        };
        let caller = self.caller(session, event.credential.kind, origin);
        caller.is_some_and(|caller| {
            caller.role().name() == event.role && event.charts.are_in(caller.charts(), event.at)
        })
    }

    /// Checks that the caller of an event still has the session, the role and the charts that it was authorized with.
    /// `access_sequence` is the newest change that concerns access, read after the caller was
    /// authorized.
    ///
    /// # Errors
    ///
    /// [`ServiceError::SignInRequired`] if not.
    pub(super) async fn ensure_current(
        &self,
        organization: OrganizationId,
        caller: &EventCaller,
        access_sequence: u64,
    ) -> Result<(), ServiceError> {
        if self.is_cached_since(access_sequence, caller) {
            return Ok(());
        }
        let hash = caller.credential.hash;
        let read = self.read(hash, organization, None, access_sequence);
        let session = read.await?;
        if session.is_some_and(|session| self.permits(&session, caller)) {
            Ok(())
        } else {
            Err(ServiceError::SignInRequired)
        }
    }

    /// Drops a session that this instance has ended from the cache.
    pub(super) fn forget(&self, credential: Credential) {
        self.cache.remove(&credential.hash);
    }

    /// The cached session, if it is valid.
    fn cached(&self, hash: &[u8; 32]) -> Option<Arc<CachedSession>> {
        let session = self.cache.get(hash)?;
        let newest = self.feed.access_sequence(session.session.organization)?;
        let is_valid = !session.is_expired() && session.access_sequence >= newest;
        is_valid.then_some(session)
    }

    /// Whether no change that concerns access is newer than a cached session whose charts are limited: a client may rely on
    /// a chart right after it was added to the care team, on any instance. Where charts are not limited, the polls of the feed
    /// suffice.
    async fn is_newest(&self, session: &CachedSession) -> Result<bool, ServiceError> {
        if !session.is_limited() {
            return Ok(true);
        }
        let newest = self.newest(session.session.organization).await?;
        Ok(session.access_sequence >= newest)
    }

    /// The newest change that concerns access to an organization, from the database.
    async fn newest(&self, organization: OrganizationId) -> Result<u64, ServiceError> {
        let sequences = self.feed.read_access_sequences(&[organization]).await?;
        let newest = sequences.get(&organization).copied();
        Ok(newest.ok_or_else(|| feed::missing_counter(organization))?)
    }

    /// Reads a session that is not cached, or whose cached rows are not valid any more.
    async fn read_uncached(
        &self,
        hash: [u8; 32],
    ) -> Result<Option<Arc<CachedSession>>, ServiceError> {
        let expired = self.cache.remove(&hash);
        let organization = match &expired {
            Some(session) => session.session.organization,
            // This row serves only to learn the organization. The row to verify must be read after
            // the sequence number.
            None => match self.database.session(hash).await? {
                Some(row) => row.organization,
                None => return Ok(None),
            },
        };
        let is_limited = expired.as_ref().is_some_and(|it| it.is_limited());
        let polled = self.feed.access_sequence(organization);
        let access_sequence = if let Some(sequence) = polled.filter(|_| !is_limited) {
            sequence
        } else {
            self.newest(organization).await?
        };
        self.read(hash, organization, expired.as_deref(), access_sequence)
            .await
    }

    /// Reads a session and its person, and caches them if they verify. `access_sequence` is the
    /// newest change that concerns access, read before. The charts of the `former` state are kept if nothing has changed.
    async fn read(
        &self,
        hash: [u8; 32],
        organization: OrganizationId,
        former: Option<&CachedSession>,
        access_sequence: u64,
    ) -> Result<Option<Arc<CachedSession>>, ServiceError> {
        let row = self.database.session(hash).await?;
        let Some(row) = row.filter(|row| row.organization == organization) else {
            return Ok(None);
        };
        let Some(session) = self.keys.verify_untampered(organization, row).await? else {
            return Ok(None);
        };
        let person = self.database.person(organization, session.person).await?;
        let Some(person) = person else {
            return Ok(None);
        };
        let Some(person) = self.keys.verify_untampered(organization, person).await? else {
            return Ok(None);
        };
        let former = former.filter(|it| it.access_sequence == access_sequence);
        let charts = match former.and_then(|former| former.charts.clone()) {
            Some(charts) => Some(charts),
            None if is_limited_to_care_teams(&person.role) => {
                Some(self.read_charts(&person).await?)
            }
            None => None,
        };
        let session = CachedSession::new(session, person, charts, access_sequence);
        let session = Arc::new(session);
        self.cache.insert(hash, Arc::clone(&session));
        Ok(Some(session))
    }

    /// The caller with a session, if it is in force now.
    fn caller(
        &self,
        cached: &CachedSession,
        kind: CredentialKind,
        origin: RequestOrigin,
    ) -> Option<Caller> {
        let now = self.clock.now();
        let session = &cached.session;
        let is_idle = kind == CredentialKind::Session && self.is_over(session);
        let is_in_force = session.ended_at.is_none() && session.expires_at > now && !is_idle;
        if session.kind != label(kind) || !is_in_force {
            return None;
        }
        let person = &cached.person;
        let caller =
            Caller::authenticated::<StoredSession, StoredPerson>(session, person, origin, now);
        match &cached.charts {
            Some(charts) => caller.ok()?.with_charts(charts.clone()).ok(),
            None => caller.ok(),
        }
    }

    /// Stores the time of a session's last use, at most once in [`TOUCH_INTERVAL`]. Returns the time that is stored.
    async fn touch(&self, cached: &CachedSession) -> Result<OffsetDateTime, ServiceError> {
        let session = &cached.session;
        let now = self.clock.now();
        // Idle limits of seconds, as in tests, need more frequent writes.
        let quarter = Duration::try_from(self.limits.idle / 4).unwrap_or(TOUCH_INTERVAL);
        if now - session.seen_at < TOUCH_INTERVAL.min(quarter) {
            return Ok(session.seen_at);
        }
        let key = self.keys.authorization(session.organization).await?;
        let row = key.authenticate(SessionRow {
            seen_at: now,
            ..SessionRow::clone(session)
        });
        // The cached row is outdated by this write.
        self.cache.remove(&session.token_hash);
        let former_mac = session.mac.as_bytes();
        match self.database.touch_session(&row, former_mac).await {
            // Another request or instance was first, or the session has ended.
            Ok(()) | Err(db::Error::Conflict) => Ok(now),
            Err(error) => Err(error.into()),
        }
    }
}
