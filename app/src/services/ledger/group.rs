//! Group commit: events that arrive while a commit is under way share the next one.

use db::Database;
use phi::OrganizationId;
use tokio::sync::{mpsc, oneshot};

use super::lanes::Lanes;
use super::{LedgerError, Receipt, SealedEvent, place};
use crate::services::keys::Keys;

/// The most events that one commit carries.
const LARGEST: usize = 256;
/// How many events may wait; more callers than that wait to be let in.
const WAITING: usize = 4_096;

/// An event that waits for its commit.
struct Waiting {
    event: SealedEvent,
    answer: oneshot::Sender<Result<Receipt, LedgerError>>,
}

/// The way to the task that commits.
#[derive(Clone, Debug)]
pub(super) struct Group(mpsc::Sender<Waiting>);

impl Group {
    pub(super) fn start(keys: Keys, database: Database, lanes: Lanes) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(
            Writer {
                keys,
                database,
                lanes,
            }
            .run(receiver),
        );
        Self(sender)
    }

    /// Comes back once the event is durable, or is known not to be.
    pub(super) async fn commit(&self, event: SealedEvent) -> Result<Receipt, LedgerError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { event, answer };
        self.0
            .send(waiting)
            .await
            .map_err(|_closed| LedgerError::Stopped)?;
        answered.await.unwrap_or(Err(LedgerError::Stopped))
    }
}

struct Writer {
    keys: Keys,
    database: Database,
    lanes: Lanes,
}

impl Writer {
    async fn run(self, mut receiver: mpsc::Receiver<Waiting>) {
        let mut group = Vec::with_capacity(LARGEST);
        while receiver.recv_many(&mut group, LARGEST).await > 0 {
            let (events, answers): (Vec<_>, Vec<_>) = group
                .drain(..)
                .map(|waiting| (waiting.event, waiting.answer))
                .unzip();
            for (answer, outcome) in answers.into_iter().zip(self.write(events).await) {
                // A caller who has gone away is told nothing; the event stays.
                let _ = answer.send(outcome);
            }
        }
    }

    /// Writes a group; one that fails is tried again one by one, so that one bad event spoils no other.
    async fn write(&self, events: Vec<SealedEvent>) -> Vec<Result<Receipt, LedgerError>> {
        let count = events.len();
        match self.write_together(events).await {
            Ok(()) => (0..count).map(|_| Ok(Receipt::of_committed())).collect(),
            Err((error, events)) if count == 1 => vec![self.settle(error, events).await],
            Err((error, events)) => {
                tracing::warn!(%error, count, "a group of audit events failed: trying one by one");
                let mut outcomes = Vec::with_capacity(count);
                for event in events {
                    let outcome = match self.write_together(vec![event]).await {
                        Ok(()) => Ok(Receipt::of_committed()),
                        Err((error, event)) => self.settle(error, event).await,
                    };
                    outcomes.push(outcome);
                }
                outcomes
            }
        }
    }

    /// A failed event may be there all the same: its commit was done, and the answer was lost.
    async fn settle(
        &self,
        error: LedgerError,
        events: Vec<SealedEvent>,
    ) -> Result<Receipt, LedgerError> {
        for event in &events {
            if !self
                .database
                .has_event(event.draft.event)
                .await
                .unwrap_or(false)
            {
                return Err(error);
            }
        }
        Ok(Receipt::of_committed())
    }

    async fn write_together(
        &self,
        events: Vec<SealedEvent>,
    ) -> Result<(), (LedgerError, Vec<SealedEvent>)> {
        let system = match self.keys.authorization(OrganizationId::SYSTEM).await {
            Ok(system) => system,
            Err(error) => return Err((error.into(), events)),
        };
        let lane = self.lanes.take();
        let drafts: Vec<_> = events.iter().map(|event| event.draft).collect();
        let rows = place(&lane, &system, events);
        match self.database.insert_events(&rows).await {
            Ok(()) => {
                self.lanes.give_back(lane, &rows);
                Ok(())
            }
            // The lane is not given back: where it ends is in doubt.
            Err(error) => {
                let events = drafts.into_iter().zip(rows);
                let events = events
                    .map(|(draft, row)| SealedEvent {
                        draft,
                        body: row.body,
                    })
                    .collect();
                Err((error.into(), events))
            }
        }
    }
}
