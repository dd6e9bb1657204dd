//! CPU work on documents, kept off the async workers where it is long.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

use crate::limits::MAX_INLINE_DOCUMENT_BYTES;
use crate::limits::concurrent_documents;

/// The permits for work on long documents.
static PERMITS: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    Semaphore::new(concurrent_documents(cores))
});

/// Runs `work` on a document of this length, in bytes. Work on a long document waits for a permit,
/// and its thread is no async worker meanwhile.
pub(crate) fn process<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes <= MAX_INLINE_DOCUMENT_BYTES {
        return work();
    }
    block_in_place(|| {
        // The semaphore is never closed.
        let _permit = Handle::current().block_on(PERMITS.acquire());
        work()
    })
}
