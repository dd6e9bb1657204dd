//! Group commit: events that arrive while a commit is under way share the next one.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use db::Database;
use phi::OrganizationId;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::SealedEvent;
use super::TrailError;
use super::chains::ChainPool;
use super::commit::place;
use crate::limits::MAX_COMMIT_EVENTS;
use crate::limits::MAX_WAITING_EVENTS;
use crate::services::feed::ChangeFeed;
use crate::services::keys::Keys;

/// A commit that took longer than this is followed by another reading of the change feeds.
const PROMPT: Duration = Duration::from_millis(200);

/// An event that waits for its commit.
struct Waiting {
    event: SealedEvent,
    answer: oneshot::Sender<Result<Option<u64>, TrailError>>,
}

/// The queue of the task that commits.
#[derive(Clone, Debug)]
pub(super) struct GroupCommit(mpsc::Sender<Waiting>);

impl GroupCommit {
    pub(super) fn start(writer: Writer) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING_EVENTS);
        let writer = Arc::new(writer);
        tokio::spawn(run(receiver, move |group| {
            Arc::clone(&writer).commit(group)
        }));
        Self(sender)
    }

    /// Whether the task that commits has not ended.
    pub(super) fn is_running(&self) -> bool {
        !self.0.is_closed()
    }

    /// Returns once the event is durable, or is known not to be. The result is the newest change of its organization
    /// that concerns access, read since the event was handed over; nothing for an organization without a feed.
    pub(super) async fn commit(&self, event: SealedEvent) -> Result<Option<u64>, TrailError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { event, answer };
        self.0
            .send(waiting)
            .await
            .map_err(|_closed| TrailError::Stopped)?;
        answered.await.unwrap_or(Err(TrailError::Stopped))
    }
}

/// Writes groups of events.
pub(super) struct Writer {
    pub(super) keys: Keys,
    pub(super) database: Database,
    pub(super) feed: ChangeFeed,
    pub(super) chains: ChainPool,
}

/// Commits groups one after another. Each is a task of its own: one that panics fails its events, for which nothing is
/// disclosed then, and no others.
async fn run<T, F>(mut receiver: mpsc::Receiver<T>, commit: impl Fn(Vec<T>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut group = Vec::with_capacity(MAX_COMMIT_EVENTS);
    while receiver.recv_many(&mut group, MAX_COMMIT_EVENTS).await > 0 {
        let committed = tokio::spawn(commit(std::mem::take(&mut group))).await;
        if committed.is_err() {
            tracing::error!("a group of audit events failed: its task panicked");
        }
    }
}

impl Writer {
    async fn commit(self: Arc<Self>, group: Vec<Waiting>) {
        let (events, answers): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|waiting| (waiting.event, waiting.answer))
            .unzip();
        let organizations: Vec<_> = events
            .iter()
            .map(|event| OrganizationId::from_uuid(event.unplaced.organization))
            .collect();
        // At once, on two connections: what counts is that access is read after it was decided.
        let begun = Instant::now();
        let access = self.feed.access_now(&organizations);
        let (outcomes, mut access) = tokio::join!(self.write(events), access);
        if begun.elapsed() > PROMPT {
            access = self.feed.access_now(&organizations).await;
        }
        let access = access.inspect_err(|error| tracing::warn!(%error, "change feeds unread"));
        for ((answer, organization), outcome) in
            answers.into_iter().zip(organizations).zip(outcomes)
        {
            let outcome = outcome.and_then(|()| match &access {
                Ok(access) => Ok(access.get(&organization).copied()),
                Err(_) => Err(TrailError::Unread),
            });
            // A caller may have disconnected; the event stays.
            let _ = answer.send(outcome);
        }
    }

    /// Writes a group; one that fails is tried again one by one, so that one bad event spoils no other.
    async fn write(&self, events: Vec<SealedEvent>) -> Vec<Result<(), TrailError>> {
        let count = events.len();
        match self.write_together(events).await {
            Ok(()) => (0..count).map(|_| Ok(())).collect(),
            Err((error, events)) if count == 1 => vec![self.resolve_in_doubt(error, events).await],
            // One statement, all or none: each on its own would wait for the same server.
            Err((TrailError::Database(db::Error::Unavailable(why)), events)) => {
                let first = events.into_iter().take(1).collect();
                let unavailable = || TrailError::Database(db::Error::Unavailable(why));
                let stored = self.resolve_in_doubt(unavailable(), first).await.is_ok();
                let outcome = || if stored { Ok(()) } else { Err(unavailable()) };
                (0..count).map(|_| outcome()).collect()
            }
            Err((error, events)) => {
                tracing::warn!(%error, count, "a group of audit events failed: trying one by one");
                let mut outcomes = Vec::with_capacity(count);
                for event in events {
                    let outcome = match self.write_together(vec![event]).await {
                        Ok(()) => Ok(()),
                        Err((error, event)) => self.resolve_in_doubt(error, event).await,
                    };
                    outcomes.push(outcome);
                }
                outcomes
            }
        }
    }

    /// A failed event may be stored all the same: its commit was done, and the confirmation was lost.
    async fn resolve_in_doubt(
        &self,
        error: TrailError,
        events: Vec<SealedEvent>,
    ) -> Result<(), TrailError> {
        for event in &events {
            if !self
                .database
                .has_event(audit::month(event.unplaced.at), event.unplaced.event)
                .await
                .unwrap_or(false)
            {
                return Err(error);
            }
        }
        Ok(())
    }

    async fn write_together(
        &self,
        events: Vec<SealedEvent>,
    ) -> Result<(), (TrailError, Vec<SealedEvent>)> {
        let system = match self.keys.authorization(OrganizationId::SYSTEM).await {
            Ok(system) => system,
            Err(error) => return Err((error.into(), events)),
        };
        let chain = self.chains.checkout();
        let unplaced: Vec<_> = events.iter().map(|event| event.unplaced).collect();
        let rows = place(&chain, &system, events);
        match self.database.insert_reads(&rows).await {
            Ok(()) => {
                self.chains.checkin(chain, &rows);
                Ok(())
            }
            // The chain is not checked in: its end is in doubt.
            Err(error) => {
                let events = unplaced.into_iter().zip(rows);
                let events = events
                    .map(|(unplaced, row)| SealedEvent {
                        unplaced,
                        body: row.body,
                        rows: row.rows,
                        changes: Vec::new(),
                        caller: None,
                    })
                    .collect();
                Err((error.into(), events))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_group_whose_task_panics_fails_alone_and_the_writer_goes_on() {
        let (sender, receiver) = mpsc::channel::<(bool, oneshot::Sender<()>)>(8);
        let commit = |group: Vec<(bool, oneshot::Sender<()>)>| async {
            for (is_sound, answer) in group {
                assert!(is_sound, "unsound");
                answer.send(()).unwrap();
            }
        };
        tokio::spawn(run(receiver, commit));
        for is_sound in [true, false, true] {
            let (answer, answered) = oneshot::channel();
            sender.send((is_sound, answer)).await.unwrap();
            assert_eq!(answered.await.is_ok(), is_sound);
        }
        let group = GroupCommit(mpsc::channel(1).0);
        assert!(!group.is_running(), "its receiver is gone");
    }
}
