//! Background tasks that run until the process ends.

use std::time::Duration;

/// Wait before a task that has panicked is restarted, so that one that panics at once does not
/// occupy a core.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Spawns a task without an end, and restarts it after a panic. Must be called within a tokio
/// runtime.
pub(crate) fn spawn_forever<F>(name: &'static str, task: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        while tokio::spawn(task()).await.is_err() {
            tracing::error!(name, "a background task panicked: restarting it");
            tokio::time::sleep(RESTART_DELAY).await;
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
    async fn a_task_that_panicked_is_restarted() {
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
