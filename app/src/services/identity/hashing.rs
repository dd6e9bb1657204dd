//! Admission to password hashing: a few permits, and a bounded queue that serves clients round
//! robin.

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
use queue::ClientStanding;
use queue::FairQueue;
use queue::QueueLimits;
use queue::QueueTicket;

/// The error of a request for which the queue, or its client's share of the queue, is full.
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

/// A permit to hash a password. When it is dropped, the next request in the queue gets a permit.
#[derive(Debug)]
pub(super) struct HashingPermit {
    /// None if the permit must not be released when it is dropped.
    queue: Option<HashingQueue>,
}

impl HashingQueue {
    /// A queue with permits for the cores of this machine.
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_permits(concurrent_hashes(cores))
    }

    fn with_permits(permits: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: permits,
            queue: FairQueue::new(QueueLimits::for_permits(permits)),
            known: KnownClients::default(),
        })))
    }

    /// Waits for a permit. Waiting clients are served round robin.
    ///
    /// # Errors
    ///
    /// [`QueueFull`]: at once, or later if the request is displaced by a client with fewer requests
    /// in the queue.
    pub(super) async fn acquire(&self, client: ClientPrefix) -> Result<HashingPermit, QueueFull> {
        let (ticket, receiver) = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Ok(self.permit());
            }
            let standing = if state.known.contains(client) {
                ClientStanding::Known
            } else {
                ClientStanding::Unknown
            };
            let (sender, receiver) = oneshot::channel();
            // The sender of a displaced request is dropped here, which ends the wait of that
            // request.
            let ticket = state.queue.push(client, standing, sender);
            (ticket.ok_or(QueueFull)?, receiver)
        };
        let waiting = QueuedRequest {
            queue: self,
            ticket,
        };
        let permit = receiver.await.map_err(|_displaced| QueueFull);
        drop(waiting);
        permit
    }

    /// Remembers a client whose password was right: a part of the queue is reserved for such
    /// clients.
    pub(super) fn remember(&self, client: ClientPrefix) {
        self.lock().known.insert(client);
    }

    /// Passes a permit to the next request that still waits, or makes it free.
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
            match next.send(self.permit()) {
                Ok(()) => return,
                // The request was cancelled meanwhile. The loop offers the permit to the next one;
                // its drop must not release it a second time.
                Err(mut permit) => permit.queue = None,
            }
        }
    }

    fn permit(&self) -> HashingPermit {
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

/// A request in the queue. It is removed when this is dropped: also if the request is cancelled.
struct QueuedRequest<'a> {
    queue: &'a HashingQueue,
    ticket: QueueTicket,
}

impl Drop for QueuedRequest<'_> {
    fn drop(&mut self) {
        self.queue.lock().queue.remove(self.ticket);
    }
}

#[cfg(test)]
mod tests;
