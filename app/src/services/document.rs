//! CPU work on documents.

use tokio::task::block_in_place;

use crate::limits::MAX_INLINE_PARSE_BYTES;

/// Does the work on a document of this length, in bytes. A long one leaves the async workers to other requests meanwhile.
pub(crate) fn process<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes > MAX_INLINE_PARSE_BYTES {
        block_in_place(work)
    } else {
        work()
    }
}
