//! Tasks that run for the life of the process.

use std::time::Duration;

/// The wait before a task that has panicked begins again: a defect that panics at once does not take a core.
const RESTART: Duration = Duration::from_secs(1);

/// Runs a task that has no end; one that panics begins again, and the log says so. Must be called within a tokio
/// runtime.
pub(crate) fn spawn_forever<F>(what: &'static str, task: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        while tokio::spawn(task()).await.is_err() {
            tracing::error!(what, "a background task panicked: it begins again");
            tokio::time::sleep(RESTART).await;
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panicked_runs_again() {
        let (runs, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let noted = Arc::clone(&done);
        spawn_forever("a test", move || {
            let (run, done) = (runs.fetch_add(1, Ordering::Relaxed), Arc::clone(&noted));
            async move {
                assert!(run > 0, "too early");
                done.notify_one();
            }
        });
        done.notified().await;
    }
}
