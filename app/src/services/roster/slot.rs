//! The state of one organization's roster, shared by its task and its readers.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use phi::PatientId;
use roster::Order;
use roster::Page;
use roster::Roster;
use roster::RosterQuery;
use roster::Start;
use tokio::sync::Notify;
use tokio::sync::watch;

use crate::services::error::ServiceError;
use crate::services::last_use::LastUse;

/// A roster that is read while its task updates it.
#[derive(Clone, Debug)]
pub(crate) struct SharedRoster(Arc<RwLock<Roster>>);

/// The slot of one organization's roster.
#[derive(Debug)]
pub(super) struct OrganizationSlot {
    state: watch::Sender<State>,
    bytes: AtomicUsize,
    generations: AtomicU64,
    discarded: Notify,
    pub(super) last_use: LastUse,
    /// Patients whose rows were not current when a list was to show them. They are read again at
    /// each use, until a list finds the current row.
    suspects: Mutex<HashSet<PatientId>>,
}

/// The state of a roster.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// The roster is being built.
    Building(Progress),
    /// The roster can be read.
    Ready(CachedRoster),
    /// The roster could not be built or updated. The task has ended; the next request starts
    /// another one.
    Failed(ServiceError),
}

/// The progress of building a roster, in patients.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub(super) read: u64,
    /// An estimate: patients may be added meanwhile.
    pub(super) total: u64,
}

/// A roster that can be read.
#[derive(Clone, Debug)]
pub(super) struct CachedRoster {
    pub(super) roster: SharedRoster,
    /// The sequence number of the last change of the feed that it contains.
    pub(super) through: u64,
    /// The number of this state, which grows with each batch of changes.
    pub(super) generation: u64,
    /// The patients whose entries cannot be opened.
    pub(super) unopened: Arc<[PatientId]>,
}

impl Default for OrganizationSlot {
    fn default() -> Self {
        Self {
            state: watch::Sender::new(State::Building(Progress::default())),
            bytes: AtomicUsize::new(0),
            generations: AtomicU64::new(0),
            discarded: Notify::new(),
            last_use: LastUse::default(),
            suspects: Mutex::default(),
        }
    }
}

impl OrganizationSlot {
    /// Waits for a roster that meets a condition.
    ///
    /// # Errors
    ///
    /// The error with which the task has ended.
    pub(super) async fn wait_for(
        &self,
        is_met: impl Fn(&CachedRoster) -> bool,
    ) -> Result<CachedRoster, ServiceError> {
        let mut state = self.state.subscribe();
        let is_decided = |state: &State| match state {
            State::Building(_) => false,
            State::Ready(ready) => is_met(ready),
            State::Failed(_) => true,
        };
        let decided = state.wait_for(is_decided).await;
        // The sender lives as long as `self`.
        match decided.as_deref() {
            Ok(State::Ready(ready)) => Ok(ready.clone()),
            Ok(State::Failed(error)) => Err(*error),
            Ok(State::Building(_)) | Err(_) => Err(ServiceError::Internal),
        }
    }

    /// Whether the roster contains the change with this sequence number.
    pub(super) fn contains_change(&self, sequence: u64) -> bool {
        matches!(&*self.state.borrow(), State::Ready(ready) if ready.through >= sequence)
    }

    /// The patients whose entries cannot be opened.
    pub(super) fn unopened(&self) -> Vec<PatientId> {
        match &*self.state.borrow() {
            State::Ready(ready) => ready.unopened.to_vec(),
            State::Building(_) | State::Failed(_) => Vec::new(),
        }
    }

    /// The error for a roster that cannot be read now.
    pub(super) fn unready_error(&self) -> ServiceError {
        match &*self.state.borrow() {
            State::Building(Progress { read, total }) => {
                let percent = read.saturating_mul(100) / (*total).max(1);
                ServiceError::Preparing {
                    percent: u8::try_from(percent.min(99)).unwrap_or(99),
                }
            }
            State::Ready(_) => ServiceError::unavailable("the change feed is not current"),
            State::Failed(error) => *error,
        }
    }

    /// The patients whose rows must be read again.
    pub(super) fn suspects(&self) -> MutexGuard<'_, HashSet<PatientId>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes a new state to the readers.
    pub(super) fn publish(&self, state: State) {
        if let State::Ready(ready) = &state {
            self.bytes
                .store(ready.roster.read().bytes(), Ordering::Relaxed);
        }
        self.state.send_replace(state);
    }

    /// The number of the next generation. It grows also when a roster is built again.
    pub(super) fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed)
    }

    /// The memory of the roster, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Requests the roster's task to discard it.
    pub(super) fn discard(&self) {
        self.discarded.notify_one();
    }

    /// Waits until the roster is to be discarded.
    pub(super) async fn discarded(&self) {
        self.discarded.notified().await;
    }
}

impl SharedRoster {
    pub(super) fn new(roster: Roster) -> Self {
        Self(Arc::new(RwLock::new(roster)))
    }

    /// The number of patients.
    pub(crate) fn len(&self) -> usize {
        self.read().len()
    }

    /// A page of all patients.
    pub(crate) fn page(&self, order: Order, skip: usize, take: usize) -> Page {
        self.read().page(order, Start::Skip(skip), take)
    }

    /// The patients that match a query.
    pub(super) fn search(
        &self,
        query: &RosterQuery<'_>,
        order: Order,
        start: Start<'_>,
        take: usize,
    ) -> Page {
        self.read().search(query, order, start, take)
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Roster> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Roster> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_for_a_roster_that_is_being_built_has_its_progress() {
        let slot = OrganizationSlot::default();
        for (read, total, percent) in [(0, 0, 0), (1, 3, 33), (3, 3, 99), (5, 3, 99)] {
            slot.publish(State::Building(Progress { read, total }));
            assert_eq!(slot.unready_error(), ServiceError::Preparing { percent });
        }
    }

    #[tokio::test]
    async fn a_reader_waits_for_the_change_that_it_needs_and_gets_the_error_of_the_task() {
        let slot = OrganizationSlot::default();
        let ready = |through| {
            State::Ready(CachedRoster {
                roster: SharedRoster::new(Roster::new(1 << 20)),
                through,
                generation: through,
                unopened: Arc::default(),
            })
        };
        slot.publish(ready(3));
        assert!(slot.contains_change(3) && !slot.contains_change(4));
        let (found, ()) = tokio::join!(slot.wait_for(|ready| ready.through >= 4), async {
            tokio::task::yield_now().await;
            slot.publish(ready(4));
        });
        assert_eq!(found.map(|ready| ready.through).ok(), Some(4));
        slot.publish(State::Failed(ServiceError::Unavailable(5)));
        let failed = slot.wait_for(|_| true).await;
        assert_eq!(failed.err(), Some(ServiceError::Unavailable(5)));
    }
}
