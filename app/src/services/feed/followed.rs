//! One organization's feed, as this instance follows it.

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

/// The time for which a reading of the feed counts.
const CURRENT: Duration = Duration::from_secs(1);

/// A place in a feed up to which everything was read and verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The feed's incarnation.
    pub(super) incarnation: Uuid,
    /// The last change.
    pub(super) sequence: u64,
    /// Its digest.
    pub(super) digest: [u8; 32],
    /// The newest change that concerns access.
    pub(super) access: u64,
}

/// What is known of one feed.
#[derive(Debug)]
pub(crate) struct Followed {
    reading: watch::Sender<Option<Reading>>,
    pending: Mutex<Pending>,
    /// Signals that `pending` has something.
    delivered: Notify,
    /// The last change that this instance committed itself.
    own: AtomicU64,
    pub(super) used: LastUse,
    advancing: Arc<tokio::sync::Mutex<()>>,
}

/// The last reading.
#[derive(Clone, Copy, Debug)]
struct Reading {
    position: Position,
    /// When the reading began.
    at: Instant,
}

/// What was read and not yet taken by the consumer. Each patient stands in it once, so that it stays bounded.
#[derive(Debug, Default)]
struct Pending {
    is_consumed: bool,
    incarnation: Option<Uuid>,
    patients: HashSet<PatientId>,
    through: u64,
    taken: u64,
    reload: bool,
}

/// Changes to apply.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The patients whose demographics changed.
    pub(crate) patients: Vec<PatientId>,
    /// The place up to which these are all.
    pub(crate) through: u64,
    /// The feed has a gap or was replaced: what was kept must be built from the tables again.
    pub(crate) reload: bool,
}

impl Default for Followed {
    fn default() -> Self {
        Self {
            reading: watch::Sender::new(None),
            pending: Mutex::default(),
            delivered: Notify::new(),
            own: AtomicU64::new(0),
            used: LastUse::default(),
            advancing: Arc::default(),
        }
    }
}

impl Followed {
    /// The newest change that concerns access, if the feed was read within a second.
    pub(super) fn access(&self) -> Option<u64> {
        let reading = self.reading.borrow();
        let reading = reading.filter(Reading::is_current);
        reading.map(|reading| reading.position.access)
    }

    /// The last change that this instance committed itself.
    pub(crate) fn own(&self) -> u64 {
        self.own.load(Ordering::SeqCst)
    }

    /// Returns once there is a reading that is at most a second old: the sequence number of its last change.
    pub(crate) async fn current(&self) -> u64 {
        let mut reading = self.reading.subscribe();
        let is_current =
            |reading: &Option<Reading>| reading.as_ref().is_some_and(Reading::is_current);
        match reading.wait_for(is_current).await {
            Ok(reading) => reading.map_or(0, |reading| reading.position.sequence),
            // The sender lives as long as `self`: there is no other outcome.
            Err(_closed) => 0,
        }
    }

    /// Begins to collect changes for the one consumer of this feed, and returns the place of the last change before
    /// them: what the consumer reads from the tables from now on contains that and all before it.
    pub(crate) async fn consume(&self) -> u64 {
        self.current().await;
        let mut pending = self.pending();
        pending.is_consumed = true;
        pending.patients.clear();
        pending.reload = false;
        pending.taken = pending.through;
        pending.through
    }

    /// Waits for changes and takes them.
    pub(crate) async fn next(&self) -> Batch {
        loop {
            if let Some(batch) = self.pending().take() {
                return batch;
            }
            self.delivered.notified().await;
        }
    }

    /// Has patients delivered once more.
    pub(crate) fn redeliver(&self, patients: impl IntoIterator<Item = PatientId>) {
        self.pending().patients.extend(patients);
        self.delivered.notify_one();
    }

    /// Ends the collection.
    pub(crate) fn release(&self) {
        let mut pending = self.pending();
        pending.is_consumed = false;
        pending.patients = HashSet::new();
    }

    pub(super) fn committed(&self, sequence: u64) {
        self.own.fetch_max(sequence, Ordering::SeqCst);
    }

    /// Held by the task that reads the feed on.
    pub(super) fn advancing(&self) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(&self.advancing)
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.reading.borrow().map(|reading| reading.position)
    }

    /// Delivers verified changes, the last of which is at `position`.
    pub(super) fn deliver(&self, changes: &[ChangeRow], position: Position, at: Instant) {
        let patients = changes
            .iter()
            .filter(|change| change.kind == ChangeKind::Demographics)
            .map(|change| PatientId::from_uuid(change.subject));
        let mut pending = self.pending();
        if pending.is_consumed {
            pending.patients.extend(patients);
        }
        pending.through = position.sequence;
        drop(pending);
        self.delivered.notify_one();
        self.reading.send_replace(Some(Reading { position, at }));
    }

    /// Begins at a position, with nothing known of what was before it.
    pub(super) fn begin(&self, position: Position, at: Instant) {
        let mut pending = self.pending();
        let former = pending.incarnation.replace(position.incarnation);
        pending.reload = true;
        drop(pending);
        if former.is_some_and(|former| former != position.incarnation) {
            // Places of another incarnation are not comparable.
            self.own.store(0, Ordering::SeqCst);
        }
        self.deliver(&[], position, at);
    }

    /// Forgets the position: nothing that was kept is valid, and the feed may have lost changes of this instance.
    pub(super) fn lose(&self) {
        self.own.store(0, Ordering::SeqCst);
        self.reading.send_replace(None);
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    fn is_current(&self) -> bool {
        self.at + CURRENT > Instant::now()
    }
}

impl Pending {
    fn take(&mut self) -> Option<Batch> {
        let is_due = self.reload || !self.patients.is_empty() || self.through != self.taken;
        if !self.is_consumed || !is_due {
            return None;
        }
        self.taken = self.through;
        Some(Batch {
            patients: std::mem::take(&mut self.patients).into_iter().collect(),
            through: self.through,
            reload: std::mem::take(&mut self.reload),
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
            access: 0,
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
    async fn a_patient_is_delivered_once_and_other_changes_only_move_the_place() {
        let feed = Followed::default();
        feed.begin(position(1, 5), Instant::now());
        assert_eq!(feed.consume().await, 5);
        let patients = [
            change(ChangeKind::Demographics, 7),
            change(ChangeKind::Demographics, 7),
        ];
        feed.deliver(&patients, position(1, 7), Instant::now());
        let batch = feed.next().await;
        assert_eq!(batch.patients, [PatientId::from_uuid(Uuid::from_u128(7))]);
        assert_eq!((batch.through, batch.reload), (7, false));
        let person = [change(ChangeKind::Person, 8)];
        feed.deliver(&person, position(1, 8), Instant::now());
        let batch = feed.next().await;
        assert!(batch.patients.is_empty() && !batch.reload);
        assert_eq!(batch.through, 8);
    }

    #[tokio::test]
    async fn a_feed_that_begins_again_has_what_was_kept_read_again() {
        let feed = Followed::default();
        feed.begin(position(1, 5), Instant::now());
        feed.consume().await;
        feed.committed(6);
        feed.lose();
        assert_eq!(feed.access(), None);
        feed.begin(position(1, 9), Instant::now());
        assert!(feed.next().await.reload);
        assert_eq!(feed.own(), 0);
        feed.committed(10);
        feed.begin(position(2, 1), Instant::now());
        assert!(feed.next().await.reload);
        assert_eq!(feed.own(), 0);
    }

    #[test]
    fn a_reading_counts_for_a_second() {
        let feed = Followed::default();
        assert_eq!(feed.access(), None);
        feed.deliver(&[], position(1, 1), Instant::now());
        assert_eq!(feed.access(), Some(0));
        let passed = Instant::now().checked_sub(CURRENT).unwrap();
        feed.deliver(&[], position(1, 2), passed);
        assert_eq!(feed.access(), None);
    }
}
