//! The callers of requests: sessions and their people, verified, and cached for at most a second.
//!
//! A cached session is used only while the change feed of its organization is polled and contains
//! no newer change that concerns access. Before anything is disclosed, the audit trail checks once
//! more ([`Callers::ensure_current`]): with a session that was revoked meanwhile, on any instance,
//! nothing is disclosed.

mod evidence;
mod session_cache;

use std::sync::Arc;

use access::Caller;
use access::Credential;
use access::CredentialKind;
use access::RequestOrigin;
use db::Database;
use db::SessionRow;
use phi::OrganizationId;
use phi::SecretToken;
use time::Duration;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::feed;
use crate::services::feed::ChangeFeed;
use crate::services::keys::Keys;
use evidence::StoredPerson;
use evidence::StoredSession;
use session_cache::CachedSession;
use session_cache::SessionCache;

pub(super) use evidence::label;

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

    /// The caller with a cookie or bearer token, if the session is in force. Counts as a use of the
    /// session.
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
    ) -> Result<Option<Caller>, ServiceError> {
        let hash = token.hash(label(kind));
        let session = match self.cached(&hash) {
            Some(session) => Some(session),
            None => self.read_uncached(hash).await?,
        };
        let Some(session) = session else {
            return Ok(None);
        };
        let Some(caller) = self.caller(&session, kind, origin) else {
            return Ok(None);
        };
        if kind == CredentialKind::Session {
            self.touch(&session).await?;
        }
        Ok(Some(caller))
    }

    /// Whether a session is cached, was read after the change with this sequence number, and is in
    /// force with this role.
    pub(super) fn is_cached_since(
        &self,
        access_sequence: u64,
        credential: Credential,
        role: &str,
    ) -> bool {
        let session = self.cache.get(&credential.hash);
        session.is_some_and(|session| {
            session.access_sequence >= access_sequence
                && self.is_in_force(&session, credential, role)
        })
    }

    /// Whether a session is in force with this role.
    fn is_in_force(&self, session: &CachedSession, credential: Credential, role: &str) -> bool {
        let origin = RequestOrigin {
            request: uuid::Uuid::nil(),
            source: None,
        };
        let caller = self.caller(session, credential.kind, origin);
        caller.is_some_and(|caller| caller.role().name() == role)
    }

    /// Checks that the caller of an event still has the session and role that the event names.
    /// `access_sequence` is the newest change that concerns access, read after the caller was
    /// authorized.
    ///
    /// # Errors
    ///
    /// [`ServiceError::SignInRequired`] if not.
    pub(super) async fn ensure_current(
        &self,
        organization: OrganizationId,
        credential: Credential,
        role: &str,
        access_sequence: u64,
    ) -> Result<(), ServiceError> {
        if self.is_cached_since(access_sequence, credential, role) {
            return Ok(());
        }
        let read = self.read(credential.hash, organization, access_sequence);
        let session = read.await?;
        if session.is_some_and(|session| self.is_in_force(&session, credential, role)) {
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

    /// Reads a session that is not cached, or whose cached rows are not valid any more.
    async fn read_uncached(
        &self,
        hash: [u8; 32],
    ) -> Result<Option<Arc<CachedSession>>, ServiceError> {
        let expired = self.cache.remove(&hash);
        let organization = match expired {
            Some(session) => session.session.organization,
            // This row serves only to learn the organization. The row to verify must be read after
            // the sequence number.
            None => match self.database.session(hash).await? {
                Some(row) => row.organization,
                None => return Ok(None),
            },
        };
        let access_sequence = if let Some(sequence) = self.feed.access_sequence(organization) {
            sequence
        } else {
            let read = self.feed.read_access_sequences(&[organization]).await?;
            let sequence = read.get(&organization).copied();
            sequence.ok_or_else(|| feed::missing_counter(organization))?
        };
        self.read(hash, organization, access_sequence).await
    }

    /// Reads a session and its person, and caches them if they verify. `access_sequence` is the
    /// newest change that concerns access, read before.
    async fn read(
        &self,
        hash: [u8; 32],
        organization: OrganizationId,
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
        let session = Arc::new(CachedSession::new(session, person, access_sequence));
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
        let is_idle = kind == CredentialKind::Session && session.seen_at + self.limits.idle <= now;
        let is_in_force = session.ended_at.is_none() && session.expires_at > now && !is_idle;
        if session.kind != label(kind) || !is_in_force {
            return None;
        }
        Caller::authenticated::<StoredSession, StoredPerson>(session, &cached.person, origin).ok()
    }

    /// Stores the time of a session's last use, at most once in [`TOUCH_INTERVAL`].
    async fn touch(&self, cached: &CachedSession) -> Result<(), ServiceError> {
        let session = &cached.session;
        let now = self.clock.now();
        // Idle limits of seconds, as in tests, need more frequent writes.
        let quarter = Duration::try_from(self.limits.idle / 4).unwrap_or(TOUCH_INTERVAL);
        if now - session.seen_at < TOUCH_INTERVAL.min(quarter) {
            return Ok(());
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
            Ok(()) | Err(db::Error::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
