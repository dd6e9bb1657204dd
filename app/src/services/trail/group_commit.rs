//! Group commit: events that arrive during a commit share the next one.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use db::Database;
use phi::OrganizationId;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::SealedEvent;
use super::TrailError;
use super::chain_pool::ChainPool;
use super::commit::place_events;
use crate::limits::MAX_COMMIT_EVENTS;
use crate::limits::MAX_WAITING_EVENTS;
use crate::services::feed::ChangeFeed;
use crate::services::keys::Keys;

/// Maximum age of the access sequence numbers that are read during a commit. After a longer commit
/// they are read again.
const MAX_SEQUENCE_AGE: Duration = Duration::from_millis(200);

/// An event that waits for its commit.
struct PendingEvent {
    event: SealedEvent,
    reply: oneshot::Sender<Result<Option<u64>, TrailError>>,
}

/// The queue of events for the committing task.
#[derive(Clone, Debug)]
pub(super) struct GroupCommit(mpsc::Sender<PendingEvent>);

impl GroupCommit {
    /// Starts the committing task.
    pub(super) fn start(writer: GroupWriter) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING_EVENTS);
        let writer = Arc::new(writer);
        tokio::spawn(run(receiver, move |group| {
            Arc::clone(&writer).commit(group)
        }));
        Self(sender)
    }

    /// Whether the committing task is running.
    pub(super) fn is_running(&self) -> bool {
        !self.0.is_closed()
    }

    /// Commits an event. The result is the sequence number of its organization's newest change that
    /// concerns access, read after this call began; none for an organization without a feed.
    pub(super) async fn commit(&self, event: SealedEvent) -> Result<Option<u64>, TrailError> {
        let (reply, replied) = oneshot::channel();
        let pending = PendingEvent { event, reply };
        self.0
            .send(pending)
            .await
            .map_err(|_closed| TrailError::Stopped)?;
        replied.await.unwrap_or(Err(TrailError::Stopped))
    }
}

/// The writer of groups of events.
pub(super) struct GroupWriter {
    pub(super) keys: Keys,
    pub(super) database: Database,
    pub(super) feed: ChangeFeed,
    pub(super) chains: ChainPool,
}

/// Commits groups one after another. Each is a task of its own, so that a panic fails the events of
/// one group alone: for these nothing is disclosed.
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

impl GroupWriter {
    async fn commit(self: Arc<Self>, group: Vec<PendingEvent>) {
        let (events, replies): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|pending| (pending.event, pending.reply))
            .unzip();
        let organizations: Vec<_> = events
            .iter()
            .map(|event| OrganizationId::from_uuid(event.unplaced.organization))
            .collect();
        // Concurrently, on two connections: the sequence numbers need not be read after the commit,
        // only after the callers were authorized.
        let begun = Instant::now();
        let sequences = self.feed.read_access_sequences(&organizations);
        let (outcomes, mut sequences) = tokio::join!(self.write(events), sequences);
        if begun.elapsed() > MAX_SEQUENCE_AGE {
            sequences = self.feed.read_access_sequences(&organizations).await;
        }
        let sequences = sequences
            .inspect_err(|error| tracing::warn!(%error, "the change feeds cannot be read"));
        for ((reply, organization), outcome) in replies.into_iter().zip(organizations).zip(outcomes)
        {
            let outcome = outcome.and_then(|()| match &sequences {
                Ok(sequences) => Ok(sequences.get(&organization).copied()),
                Err(_) => Err(TrailError::FeedUnavailable),
            });
            // The client may have disconnected. The event stays.
            let _ = reply.send(outcome);
        }
    }

    /// Writes a group. If that fails, writes its events one by one, so that an event that cannot be
    /// written fails alone.
    async fn write(&self, events: Vec<SealedEvent>) -> Vec<Result<(), TrailError>> {
        let count = events.len();
        match self.write_together(events).await {
            Ok(()) => (0..count).map(|_| Ok(())).collect(),
            Err((error, events)) if count == 1 => vec![self.resolve_in_doubt(error, events).await],
            // All events were written by one statement, so that the first one stands for all. Writing
            // them one by one would wait for the same server each time.
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

    /// Resolves events whose commit has failed: they may be stored all the same, if only the
    /// confirmation was lost.
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
        let rows = place_events(&chain, &system, events);
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
    async fn a_group_whose_task_panics_fails_alone_and_later_groups_are_committed() {
        let (sender, receiver) = mpsc::channel::<(bool, oneshot::Sender<()>)>(8);
        let commit = |group: Vec<(bool, oneshot::Sender<()>)>| async {
            for (is_valid, reply) in group {
                assert!(is_valid, "invalid");
                reply.send(()).unwrap();
            }
        };
        tokio::spawn(run(receiver, commit));
        for is_valid in [true, false, true] {
            let (reply, replied) = oneshot::channel();
            sender.send((is_valid, reply)).await.unwrap();
            assert_eq!(replied.await.is_ok(), is_valid);
        }
        let group_commit = GroupCommit(mpsc::channel(1).0);
        assert!(!group_commit.is_running(), "the receiver was dropped");
    }
}
