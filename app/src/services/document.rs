//! CPU work on documents.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

use crate::limits::MAX_INLINE_PARSE_BYTES;

/// Long documents that are worked on at once: half of the cores, and the others are left to short requests.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    Semaphore::new((cores / 2).max(1))
});

/// Does the work on a document of this length, in bytes. A long one leaves the async workers to other requests meanwhile,
/// and waits for its turn.
pub(crate) fn process<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes <= MAX_INLINE_PARSE_BYTES {
        return work();
    }
    block_in_place(|| {
        // The semaphore is never closed.
        let _turn = Handle::current().block_on(TURNS.acquire());
        work()
    })
}
