//! The callers of requests: sessions and the people behind them, read, verified, and kept for at most a second.
//!
//! What is kept counts only while the change feed of the organization is read and says that nothing has changed
//! access since. Before anything is disclosed, the audit trail compares once more ([`Callers::ensure_current`]): a
//! session that was revoked meanwhile, on whatever instance, discloses nothing.

mod evidence;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use access::Caller;
use access::Credential;
use access::CredentialKind;
use access::RequestOrigin;
use db::Database;
use db::PersonRow;
use db::SessionRow;
use phi::OrganizationId;
use phi::SecretToken;
use phi::Verified;
use time::Duration;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::feed;
use crate::services::feed::ChangeFeed;
use crate::services::keys::Keys;
use evidence::StoredPerson;
use evidence::StoredSession;

pub(super) use evidence::label;

/// The longest time for which verified rows are used.
const CACHE_TTL: std::time::Duration = std::time::Duration::from_secs(1);
/// The largest number of cached sessions. A full cache drops those that are too old, and takes no new ones while it
/// stays full.
const CACHE_CAPACITY: usize = 10_000;
/// The shortest time between two writes of a session's last use.
const TOUCH_INTERVAL: Duration = Duration::seconds(30);

/// Limits of sessions: automatic logoff (45 CFR 164.312(a)(2)(iii)).
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionLimits {
    /// The longest time without a request.
    pub(crate) idle: std::time::Duration,
    /// The longest life.
    pub(crate) absolute: std::time::Duration,
}

/// The callers of this instance.
#[derive(Clone, Debug)]
pub(crate) struct Callers {
    database: Database,
    keys: Keys,
    feed: ChangeFeed,
    limits: SessionLimits,
    clock: Clock,
    kept: Arc<Mutex<HashMap<[u8; 32], Arc<CachedSession>>>>,
}

/// The verified rows of a session.
#[derive(Debug)]
struct CachedSession {
    session: Verified<SessionRow>,
    person: Verified<PersonRow>,
    /// The sequence number of the newest change that concerned access, before the rows were read.
    access: u64,
    read: Instant,
}

impl Callers {
    /// Callers over these services, none of them known yet.
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
            kept: Arc::default(),
        }
    }

    /// The caller that a cookie or bearer token stands for, if it has not ended. Counts as use of a session.
    ///
    /// # Errors
    ///
    /// The keys or the database are unavailable. Rows that were tampered with authenticate no one.
    pub(crate) async fn authenticate(
        &self,
        token: &SecretToken,
        kind: CredentialKind,
        origin: RequestOrigin,
    ) -> Result<Option<Caller>, ServiceError> {
        let hash = token.hash(label(kind));
        let kept = match self.still_valid(&hash) {
            Some(kept) => Some(kept),
            None => self.read_unknown(hash).await?,
        };
        let Some(kept) = kept else { return Ok(None) };
        let Some(caller) = self.caller(&kept, kind, origin) else {
            return Ok(None);
        };
        if kind == CredentialKind::Session {
            self.touch(&kept).await?;
        }
        Ok(Some(caller))
    }

    /// Whether the cached rows of a session were read after the change with the sequence number `access`, and are in
    /// force with this role.
    pub(super) fn is_known(&self, credential: Credential, role: &str, access: u64) -> bool {
        let kept = self.lock().get(&credential.hash).cloned();
        kept.is_some_and(|kept| kept.access >= access && self.is_in_force(&kept, credential, role))
    }

    /// Whether the rows of a session still stand for a caller of this role.
    fn is_in_force(&self, kept: &CachedSession, credential: Credential, role: &str) -> bool {
        let origin = RequestOrigin {
            request: uuid::Uuid::nil(),
            source: None,
        };
        let caller = self.caller(kept, credential.kind, origin);
        caller.is_some_and(|caller| caller.role().name() == role)
    }

    /// Checks that the caller of an event still has the session and role that the event names: `access` is the newest
    /// change that concerns access, read after that was decided.
    ///
    /// # Errors
    ///
    /// [`ServiceError::SignInRequired`] if not.
    pub(super) async fn ensure_current(
        &self,
        organization: OrganizationId,
        credential: Credential,
        role: &str,
        access: u64,
    ) -> Result<(), ServiceError> {
        if self.is_known(credential, role, access) {
            return Ok(());
        }
        let read = self.read(credential.hash, organization, access).await?;
        if read.is_some_and(|kept| self.is_in_force(&kept, credential, role)) {
            Ok(())
        } else {
            Err(ServiceError::SignInRequired)
        }
    }

    /// Forgets a session that this instance has ended.
    pub(super) fn forget(&self, credential: Credential) {
        self.lock().remove(&credential.hash);
    }

    /// What is kept of a session, if it still counts.
    fn still_valid(&self, hash: &[u8; 32]) -> Option<Arc<CachedSession>> {
        let kept = self.lock().get(hash).cloned()?;
        let access = self.feed.access(kept.session.organization)?;
        let is_valid = kept.read.elapsed() < CACHE_TTL && kept.access >= access;
        is_valid.then_some(kept)
    }

    /// Reads a session that is not known, or no longer.
    async fn read_unknown(
        &self,
        hash: [u8; 32],
    ) -> Result<Option<Arc<CachedSession>>, ServiceError> {
        let kept = self.lock().remove(&hash);
        let organization = match kept {
            Some(kept) => kept.session.organization,
            // Names the organization, and is read again: what counts is read after the position is.
            None => match self.database.session(hash).await? {
                Some(row) => row.organization,
                None => return Ok(None),
            },
        };
        let access = if let Some(access) = self.feed.access(organization) {
            access
        } else {
            let now = self.feed.access_now(&[organization]).await?;
            let access = now.get(&organization).copied();
            access.ok_or_else(|| feed::missing(organization))?
        };
        self.read(hash, organization, access).await
    }

    /// Reads a session and its person, and keeps them if they verify. `access` is the newest change that concerns
    /// access, read before.
    async fn read(
        &self,
        hash: [u8; 32],
        organization: OrganizationId,
        access: u64,
    ) -> Result<Option<Arc<CachedSession>>, ServiceError> {
        let row = self.database.session(hash).await?;
        let Some(row) = row.filter(|row| row.organization == organization) else {
            return Ok(None);
        };
        let Some(session) = self.keys.verified(organization, row).await? else {
            return Ok(None);
        };
        let person = self.database.person(organization, session.person).await?;
        let Some(person) = person else {
            return Ok(None);
        };
        let Some(person) = self.keys.verified(organization, person).await? else {
            return Ok(None);
        };
        let kept = Arc::new(CachedSession {
            session,
            person,
            access,
            read: Instant::now(),
        });
        self.keep(hash, &kept);
        Ok(Some(kept))
    }

    fn caller(
        &self,
        kept: &CachedSession,
        kind: CredentialKind,
        origin: RequestOrigin,
    ) -> Option<Caller> {
        let now = self.clock.now();
        let session = &kept.session;
        let is_idle = kind == CredentialKind::Session && session.seen_at + self.limits.idle <= now;
        let is_in_force = session.ended_at.is_none() && session.expires_at > now && !is_idle;
        if session.kind != label(kind) || !is_in_force {
            return None;
        }
        Caller::authenticated::<StoredSession, StoredPerson>(session, &kept.person, origin).ok()
    }

    /// Stores that a session was used, where that is not known already.
    async fn touch(&self, kept: &CachedSession) -> Result<(), ServiceError> {
        let session = &kept.session;
        let now = self.clock.now();
        // Idle limits of seconds, as tests have them, are touched as often as they need.
        let quarter = Duration::try_from(self.limits.idle / 4).unwrap_or(TOUCH_INTERVAL);
        if now - session.seen_at < TOUCH_INTERVAL.min(quarter) {
            return Ok(());
        }
        let key = self.keys.authorization(session.organization).await?;
        let row = key.authenticate(SessionRow {
            seen_at: now,
            ..SessionRow::clone(session)
        });
        // What is kept is the row as it was before.
        self.lock().remove(&session.token_hash);
        let before = session.mac.as_bytes();
        match self.database.touch_session(&row, before).await {
            // Another request or instance was first, or the session has ended.
            Ok(()) | Err(db::Error::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn keep(&self, hash: [u8; 32], kept: &Arc<CachedSession>) {
        let mut all = self.lock();
        if all.len() >= CACHE_CAPACITY {
            all.retain(|_, kept| kept.read.elapsed() < CACHE_TTL);
        }
        if all.len() < CACHE_CAPACITY {
            all.insert(hash, Arc::clone(kept));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<CachedSession>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
