//! File system calls on the threads for blocking work.

use std::io;

use tokio::task;

/// The result of blocking work, which runs outside the async workers. Work that has begun runs to its end, even if the
/// returned future is dropped.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    match task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error).into()),
    }
}
