//! The shared state of one organization's roster.

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
use tokio::sync::Notify;
use tokio::sync::watch;

use crate::services::error::ServiceError;
use crate::services::last_use::LastUse;

/// A roster that is read while its task changes it.
#[derive(Clone, Debug)]
pub(crate) struct SharedRoster(Arc<RwLock<Roster>>);

/// One organization's roster, as its task and its readers share it.
#[derive(Debug)]
pub(super) struct Slot {
    state: watch::Sender<State>,
    bytes: AtomicUsize,
    rounds: AtomicU64,
    discarded: Notify,
    pub(super) used: LastUse,
    /// Patients whose rows were not the current ones when a list was to show them: they are read again at each use,
    /// until a list shows them.
    suspects: Mutex<HashSet<PatientId>>,
}

/// The state of a roster.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// It is being built.
    Building(Progress),
    /// It can be read.
    Ready(Ready),
    /// It could not be built. The task has ended; the next request starts another one.
    Failed(ServiceError),
}

/// How many patients have been read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub(super) read: u64,
    /// A hint: patients are added meanwhile.
    pub(super) total: u64,
}

/// A roster that can be read.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) roster: SharedRoster,
    /// The last change of the feed that it contains.
    pub(super) through: u64,
    /// Counts the batches that were applied.
    pub(super) round: u64,
    /// The patients whose entries do not open.
    pub(super) damaged: Arc<[PatientId]>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            state: watch::Sender::new(State::Building(Progress::default())),
            bytes: AtomicUsize::new(0),
            rounds: AtomicU64::new(0),
            discarded: Notify::new(),
            used: LastUse::default(),
            suspects: Mutex::default(),
        }
    }
}

impl Slot {
    /// Waits for a roster that meets a condition.
    ///
    /// # Errors
    ///
    /// Why it could not be built.
    pub(super) async fn ready(
        &self,
        is_met: impl Fn(&Ready) -> bool,
    ) -> Result<Ready, ServiceError> {
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

    /// Whether the roster contains the change at a place.
    pub(super) fn is_through(&self, place: u64) -> bool {
        matches!(&*self.state.borrow(), State::Ready(ready) if ready.through >= place)
    }

    /// Why the roster cannot be read now.
    pub(super) fn unready(&self) -> ServiceError {
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

    /// The patients whose rows are to be read again.
    pub(super) fn suspects(&self) -> MutexGuard<'_, HashSet<PatientId>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, state: State) {
        if let State::Ready(ready) = &state {
            self.bytes
                .store(ready.roster.read().bytes(), Ordering::Relaxed);
        }
        self.state.send_replace(state);
    }

    /// The number of the next batch: it never falls, also when a roster is built again.
    pub(super) fn next_round(&self) -> u64 {
        self.rounds.fetch_add(1, Ordering::Relaxed)
    }

    /// Memory of the roster, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Has the roster discarded.
    pub(super) fn discard(&self) {
        self.discarded.notify_one();
    }

    /// Returns when the roster is to be discarded.
    pub(super) async fn discarded(&self) {
        self.discarded.notified().await;
    }
}

impl SharedRoster {
    pub(super) fn new(roster: Roster) -> Self {
        Self(Arc::new(RwLock::new(roster)))
    }

    /// A page of all patients.
    pub(crate) fn page(&self, order: Order, skip: usize, take: usize) -> Page {
        self.read().page(order, skip, take)
    }

    /// The patients that match a query.
    pub(super) fn search(&self, query: &RosterQuery<'_>, order: Order, take: usize) -> Page {
        self.read().search(query, order, 0, take)
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
    async fn a_roster_that_is_being_built_says_how_much_of_it_is() {
        let slot = Slot::default();
        for (read, total, percent) in [(0, 0, 0), (1, 3, 33), (3, 3, 99), (5, 3, 99)] {
            slot.publish(State::Building(Progress { read, total }));
            assert_eq!(slot.unready(), ServiceError::Preparing { percent });
        }
    }

    #[tokio::test]
    async fn a_reader_waits_for_the_change_that_it_needs_and_learns_of_a_failure() {
        let slot = Slot::default();
        let ready = |through| {
            State::Ready(Ready {
                roster: SharedRoster::new(Roster::new(1 << 20)),
                through,
                round: through,
                damaged: Arc::default(),
            })
        };
        slot.publish(ready(3));
        assert!(slot.is_through(3) && !slot.is_through(4));
        let (found, ()) = tokio::join!(slot.ready(|ready| ready.through >= 4), async {
            tokio::task::yield_now().await;
            slot.publish(ready(4));
        });
        assert_eq!(found.map(|ready| ready.through).ok(), Some(4));
        slot.publish(State::Failed(ServiceError::Unavailable(5)));
        let failed = slot.ready(|_| true).await;
        assert_eq!(failed.err(), Some(ServiceError::Unavailable(5)));
    }
}
