//! The cache of verified sessions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use access::ChartAccess;
use db::PersonRow;
use db::SessionRow;
use phi::Verified;

/// Maximum time for which verified rows are cached.
const CACHE_TTL: Duration = Duration::from_secs(1);
/// Maximum number of cached sessions. A full cache drops expired ones, and takes no new ones while
/// it stays full.
const CACHE_CAPACITY: usize = 10_000;

/// The verified rows of a session and its person.
#[derive(Debug)]
pub(super) struct CachedSession {
    pub(super) session: Verified<SessionRow>,
    pub(super) person: Verified<PersonRow>,
    /// The charts that the person reaches, if the role is limited to care teams.
    pub(super) charts: Option<ChartAccess>,
    /// The sequence number of the newest change that concerns access, read before the rows.
    pub(super) access_sequence: u64,
    read_at: Instant,
}

impl CachedSession {
    /// Rows that were read just now.
    pub(super) fn new(
        session: Verified<SessionRow>,
        person: Verified<PersonRow>,
        charts: Option<ChartAccess>,
        access_sequence: u64,
    ) -> Self {
        Self {
            session,
            person,
            charts,
            access_sequence,
            read_at: Instant::now(),
        }
    }

    /// Whether the person reaches some charts of the organization only.
    pub(super) fn is_limited(&self) -> bool {
        let charts = self.charts.as_ref();
        charts.is_some_and(|charts| !charts.is_whole_organization())
    }

    /// Whether the rows have been cached for too long.
    pub(super) fn is_expired(&self) -> bool {
        self.read_at.elapsed() >= CACHE_TTL
    }
}

/// The cache of sessions, by the hash of their token. Its clones share one content.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionCache(Arc<Mutex<HashMap<[u8; 32], Arc<CachedSession>>>>);

impl SessionCache {
    /// The cached session, also an expired one.
    pub(super) fn get(&self, hash: &[u8; 32]) -> Option<Arc<CachedSession>> {
        self.lock().get(hash).cloned()
    }

    /// Removes a session.
    pub(super) fn remove(&self, hash: &[u8; 32]) -> Option<Arc<CachedSession>> {
        self.lock().remove(hash)
    }

    /// Inserts a session, if there is room.
    pub(super) fn insert(&self, hash: [u8; 32], session: Arc<CachedSession>) {
        let mut sessions = self.lock();
        if sessions.len() >= CACHE_CAPACITY {
            sessions.retain(|_, session| !session.is_expired());
        }
        if sessions.len() < CACHE_CAPACITY {
            sessions.insert(hash, session);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<CachedSession>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
