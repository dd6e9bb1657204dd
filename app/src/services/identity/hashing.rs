//! Admission to hashing: a few turns at a time, and a bounded queue that serves clients in turn.

mod proven;
mod queue;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::client::ClientPrefix;
use crate::limits::sign_in::concurrent_hashes;
use proven::ProvenClients;
use queue::{FairQueue, Place, Shares, Standing};

/// The queue has no place left, or the client holds its share of places.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the queue for hashing is full")]
pub(super) struct QueueFull;

/// The turns of this instance, and the requests that wait for one.
#[derive(Clone, Debug)]
pub(super) struct HashingQueue(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    queue: FairQueue<oneshot::Sender<HashingTurn>>,
    proven: ProvenClients,
}

/// Evidence that a password may be hashed now. Dropped, the next request gets its turn.
#[derive(Debug)]
pub(super) struct HashingTurn {
    /// None once the turn was passed on.
    queue: Option<HashingQueue>,
}

impl HashingQueue {
    /// A queue for the cores of this machine.
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_turns(concurrent_hashes(cores))
    }

    fn with_turns(turns: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: turns,
            queue: FairQueue::new(Shares::for_turns(turns)),
            proven: ProvenClients::default(),
        })))
    }

    /// A turn, after those of other clients that wait.
    ///
    /// # Errors
    ///
    /// [`QueueFull`], at once, or as soon as a client with fewer places needs this one.
    pub(super) async fn turn(&self, client: ClientPrefix) -> Result<HashingTurn, QueueFull> {
        let (place, receiver) = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Ok(self.granted());
            }
            let standing = if state.proven.contains(client) {
                Standing::Proven
            } else {
                Standing::Stranger
            };
            let (sender, receiver) = oneshot::channel();
            // A sender that is displaced is dropped here, which ends its request's wait.
            let place = state.queue.push(client, standing, sender);
            let place = place.ok_or(QueueFull)?;
            (place, receiver)
        };
        let waiting = Waiting { queue: self, place };
        let turn = receiver.await.map_err(|_displaced| QueueFull);
        drop(waiting);
        turn
    }

    /// Remembers a client whose password was right: some places are reserved to such clients.
    pub(super) fn prove(&self, client: ClientPrefix) {
        self.lock().proven.insert(client);
    }

    /// Gives a turn back: to the next request that still waits.
    fn release(&self) {
        loop {
            let next = {
                let mut state = self.lock();
                let next = state.queue.pop();
                if next.is_none() {
                    state.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(self.granted()) {
                Ok(()) => return,
                // Its request was cancelled meanwhile. The turn is still this one's: it is not released twice.
                Err(mut turn) => turn.queue = None,
            }
        }
    }

    fn granted(&self) -> HashingTurn {
        HashingTurn {
            queue: Some(self.clone()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HashingTurn {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.release();
        }
    }
}

/// A place in the queue, left when the request is cancelled.
struct Waiting<'a> {
    queue: &'a HashingQueue,
    place: Place,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.lock().queue.remove(self.place);
    }
}

#[cfg(test)]
mod tests;
