//! The state of one organization's feed on this instance: its position, and the changes for its
//! consumer.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use db::ChangeRow;
use phi::ChangeKind;
use phi::PatientId;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use crate::services::last_use::LastUse;

/// Time for which a poll is current.
const POLL_TTL: Duration = Duration::from_secs(1);

/// A position in a feed. All changes up to it were read and verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The feed's incarnation.
    pub(super) incarnation: Uuid,
    /// The sequence number of the last change.
    pub(super) sequence: u64,
    /// The digest of the last change.
    pub(super) digest: [u8; 32],
    /// The sequence number of the newest change that concerns access.
    pub(super) access_sequence: u64,
}

/// A feed that this instance follows.
#[derive(Debug)]
pub(crate) struct FollowedFeed {
    last_poll: watch::Sender<Option<Poll>>,
    pending: Mutex<Pending>,
    /// Signals that `pending` has changed.
    delivered: Notify,
    /// The sequence number of the last change that this instance has committed.
    own_sequence: AtomicU64,
    pub(super) last_use: LastUse,
    advance_lock: Arc<tokio::sync::Mutex<()>>,
}

/// A successful poll.
#[derive(Clone, Copy, Debug)]
struct Poll {
    position: Position,
    /// The time at which the poll began.
    at: Instant,
}

/// The changes that the consumer has not taken yet. Each patient is contained once, so that the
/// size is bounded.
#[derive(Debug, Default)]
struct Pending {
    has_consumer: bool,
    incarnation: Option<Uuid>,
    patients: HashSet<PatientId>,
    /// The sequence number of the last change that was delivered.
    delivered_through: u64,
    /// The sequence number of the last change that the consumer has taken.
    taken_through: u64,
    rebuild: bool,
}

/// Changes for the consumer.
#[derive(Debug)]
pub(crate) struct ChangeBatch {
    /// The patients whose demographics have changed.
    pub(crate) patients: Vec<PatientId>,
    /// The sequence number of the last change of the batch.
    pub(crate) through: u64,
    /// Whether changes were skipped or the feed was replaced, so that the consumer must read the
    /// tables again.
    pub(crate) rebuild: bool,
}

impl Default for FollowedFeed {
    fn default() -> Self {
        Self {
            last_poll: watch::Sender::new(None),
            pending: Mutex::default(),
            delivered: Notify::new(),
            own_sequence: AtomicU64::new(0),
            last_use: LastUse::default(),
            advance_lock: Arc::default(),
        }
    }
}

impl FollowedFeed {
    /// The sequence number of the newest change that concerns access, if the last poll is current.
    pub(super) fn access_sequence(&self) -> Option<u64> {
        let poll = self.last_poll.borrow();
        let poll = poll.filter(Poll::is_current);
        poll.map(|poll| poll.position.access_sequence)
    }

    /// The sequence number of the last change that this instance has committed.
    pub(crate) fn own_sequence(&self) -> u64 {
        self.own_sequence.load(Ordering::SeqCst)
    }

    /// Waits until the last poll is current, and returns the sequence number of its last change.
    pub(crate) async fn current_sequence(&self) -> u64 {
        let mut poll = self.last_poll.subscribe();
        let is_current = |poll: &Option<Poll>| poll.as_ref().is_some_and(Poll::is_current);
        match poll.wait_for(is_current).await {
            Ok(poll) => poll.map_or(0, |poll| poll.position.sequence),
            // Cannot happen: the sender lives as long as `self`.
            Err(_closed) => 0,
        }
    }

    /// Starts to collect changes for the one consumer of this feed. Returns the sequence number of
    /// the last change before them: what the consumer reads from the tables from now on contains
    /// that change and all earlier ones.
    pub(crate) async fn start_collecting(&self) -> u64 {
        self.current_sequence().await;
        let mut pending = self.pending();
        pending.has_consumer = true;
        pending.patients.clear();
        pending.rebuild = false;
        pending.taken_through = pending.delivered_through;
        pending.delivered_through
    }

    /// Waits for changes, and takes them.
    pub(crate) async fn next_batch(&self) -> ChangeBatch {
        loop {
            if let Some(batch) = self.pending().take() {
                return batch;
            }
            self.delivered.notified().await;
        }
    }

    /// Delivers patients once more.
    pub(crate) fn redeliver(&self, patients: impl IntoIterator<Item = PatientId>) {
        self.pending().patients.extend(patients);
        self.delivered.notify_one();
    }

    /// Stops to collect changes.
    pub(crate) fn stop_collecting(&self) {
        let mut pending = self.pending();
        pending.has_consumer = false;
        pending.patients = HashSet::new();
    }

    /// Notes a change that this instance has committed.
    pub(super) fn on_committed(&self, sequence: u64) {
        self.own_sequence.fetch_max(sequence, Ordering::SeqCst);
    }

    /// The lock of the task that advances the position.
    pub(super) fn advance_lock(&self) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(&self.advance_lock)
    }

    /// The position of the last poll; none before the first one, and after tampering.
    pub(super) fn position(&self) -> Option<Position> {
        self.last_poll.borrow().map(|poll| poll.position)
    }

    /// Delivers verified changes, the last of which is at `position`, of a poll that began at `at`.
    pub(super) fn deliver(&self, changes: &[ChangeRow], position: Position, at: Instant) {
        let patients = changes
            .iter()
            .filter(|change| change.kind == ChangeKind::Demographics)
            .map(|change| PatientId::from_uuid(change.subject));
        let mut pending = self.pending();
        if pending.has_consumer {
            pending.patients.extend(patients);
        }
        pending.delivered_through = position.sequence;
        drop(pending);
        self.delivered.notify_one();
        self.last_poll.send_replace(Some(Poll { position, at }));
    }

    /// Starts at a position. Changes before it are unknown, so the consumer must read the tables
    /// again.
    pub(super) fn start_at(&self, position: Position, at: Instant) {
        let mut pending = self.pending();
        let former = pending.incarnation.replace(position.incarnation);
        pending.rebuild = true;
        drop(pending);
        if former.is_some_and(|former| former != position.incarnation) {
            // Sequence numbers of different incarnations are not comparable.
            self.own_sequence.store(0, Ordering::SeqCst);
        }
        self.deliver(&[], position, at);
    }

    /// Forgets the position after tampering: no cache is valid, and changes of this instance may be
    /// lost.
    pub(super) fn invalidate(&self) {
        self.own_sequence.store(0, Ordering::SeqCst);
        self.last_poll.send_replace(None);
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Poll {
    fn is_current(&self) -> bool {
        self.at + POLL_TTL > Instant::now()
    }
}

impl Pending {
    fn take(&mut self) -> Option<ChangeBatch> {
        let has_changes = self.rebuild
            || !self.patients.is_empty()
            || self.delivered_through != self.taken_through;
        if !self.has_consumer || !has_changes {
            return None;
        }
        self.taken_through = self.delivered_through;
        Some(ChangeBatch {
            patients: std::mem::take(&mut self.patients).into_iter().collect(),
            through: self.delivered_through,
            rebuild: std::mem::take(&mut self.rebuild),
        })
    }
}

#[cfg(test)]
mod tests {
    use phi::OrganizationId;
    use phi::RowId;
    use phi::RowMac;

    use super::*;

    fn position(incarnation: u128, sequence: u64) -> Position {
        Position {
            incarnation: Uuid::from_u128(incarnation),
            sequence,
            digest: [0; 32],
            access_sequence: 0,
        }
    }

    fn change(kind: ChangeKind, subject: u128) -> ChangeRow {
        ChangeRow {
            organization: OrganizationId::SYSTEM,
            row_id: RowId::random(),
            incarnation: Uuid::nil(),
            sequence: 1,
            previous: [0; 32],
            kind,
            subject: Uuid::from_u128(subject),
            mac: RowMac::UNSET,
        }
    }

    #[tokio::test]
    async fn a_patient_is_delivered_once_and_other_changes_only_advance_the_position() {
        let feed = FollowedFeed::default();
        feed.start_at(position(1, 5), Instant::now());
        assert_eq!(feed.start_collecting().await, 5);
        let patients = [
            change(ChangeKind::Demographics, 7),
            change(ChangeKind::Demographics, 7),
        ];
        feed.deliver(&patients, position(1, 7), Instant::now());
        let batch = feed.next_batch().await;
        assert_eq!(batch.patients, [PatientId::from_uuid(Uuid::from_u128(7))]);
        assert_eq!((batch.through, batch.rebuild), (7, false));
        let person = [change(ChangeKind::Person, 8)];
        feed.deliver(&person, position(1, 8), Instant::now());
        let batch = feed.next_batch().await;
        assert!(batch.patients.is_empty() && !batch.rebuild);
        assert_eq!(batch.through, 8);
    }

    #[tokio::test]
    async fn a_feed_that_starts_again_has_its_consumer_read_the_tables_again() {
        let feed = FollowedFeed::default();
        feed.start_at(position(1, 5), Instant::now());
        feed.start_collecting().await;
        feed.on_committed(6);
        feed.invalidate();
        assert_eq!(feed.access_sequence(), None);
        feed.start_at(position(1, 9), Instant::now());
        assert!(feed.next_batch().await.rebuild);
        assert_eq!(feed.own_sequence(), 0);
        feed.on_committed(10);
        feed.start_at(position(2, 1), Instant::now());
        assert!(feed.next_batch().await.rebuild);
        assert_eq!(feed.own_sequence(), 0);
    }

    #[test]
    fn a_poll_is_current_for_a_second() {
        let feed = FollowedFeed::default();
        assert_eq!(feed.access_sequence(), None);
        feed.deliver(&[], position(1, 1), Instant::now());
        assert_eq!(feed.access_sequence(), Some(0));
        let passed = Instant::now().checked_sub(POLL_TTL).unwrap();
        feed.deliver(&[], position(1, 2), passed);
        assert_eq!(feed.access_sequence(), None);
    }
}
