//! Admission to hashing: a few permits at a time, and a bounded queue that serves clients round robin.

mod known;
mod queue;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::oneshot;

use super::client::ClientPrefix;
use crate::limits::sign_in::concurrent_hashes;
use known::KnownClients;
use queue::FairQueue;
use queue::QueueTicket;
use queue::Shares;
use queue::Standing;

/// The queue has no place left, or the client holds its share of places.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the queue for hashing is full")]
pub(super) struct QueueFull;

/// The hashing permits of this instance, and the requests that wait for one.
#[derive(Clone, Debug)]
pub(super) struct HashingQueue(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    queue: FairQueue<oneshot::Sender<HashingPermit>>,
    known: KnownClients,
}

/// Evidence that a password may be hashed now. When it is dropped, the next request gets one.
#[derive(Debug)]
pub(super) struct HashingPermit {
    /// None once the permit was passed on.
    queue: Option<HashingQueue>,
}

impl HashingQueue {
    /// A queue for the cores of this machine.
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_permits(concurrent_hashes(cores))
    }

    fn with_permits(permits: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: permits,
            queue: FairQueue::new(Shares::for_permits(permits)),
            known: KnownClients::default(),
        })))
    }

    /// Waits for a permit, while clients that wait are served round robin.
    ///
    /// # Errors
    ///
    /// [`QueueFull`], at once, or as soon as a client that holds fewer places needs this one.
    pub(super) async fn acquire(&self, client: ClientPrefix) -> Result<HashingPermit, QueueFull> {
        let (ticket, receiver) = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Ok(self.granted());
            }
            let standing = if state.known.contains(client) {
                Standing::Known
            } else {
                Standing::Unknown
            };
            let (sender, receiver) = oneshot::channel();
            // A sender that is displaced is dropped here, which ends its request's wait.
            let ticket = state.queue.push(client, standing, sender);
            (ticket.ok_or(QueueFull)?, receiver)
        };
        let waiting = Waiting {
            queue: self,
            ticket,
        };
        let permit = receiver.await.map_err(|_displaced| QueueFull);
        drop(waiting);
        permit
    }

    /// Remembers a client whose password was right: some places are reserved for such clients.
    pub(super) fn remember(&self, client: ClientPrefix) {
        self.lock().known.insert(client);
    }

    /// Releases a permit: to the next request that still waits.
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
                // Its request was cancelled meanwhile. The permit is offered to the next one, and not released twice.
                Err(mut permit) => permit.queue = None,
            }
        }
    }

    fn granted(&self) -> HashingPermit {
        HashingPermit {
            queue: Some(self.clone()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HashingPermit {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.release();
        }
    }
}

/// A request in the queue, removed when it is cancelled.
struct Waiting<'a> {
    queue: &'a HashingQueue,
    ticket: QueueTicket,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.lock().queue.remove(self.ticket);
    }
}

#[cfg(test)]
mod tests;
