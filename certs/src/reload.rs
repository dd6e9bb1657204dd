//! Values loaded from files, and reloaded when the files change.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use arc_swap::ArcSwap;

/// Interval between two checks of the files. A change is in use after at most twice this time.
const INTERVAL: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1000 });

/// Interval at which a lasting failure is logged again.
const REMINDER: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 60_000 });

/// A value loaded from files, and loaded again when they change.
///
/// If the new files cannot be used (half-written, a key of another certificate), the last good
/// value stays in use. An error is logged, again every minute, and loading is retried every second.
pub struct Reloading<T> {
    current: ArcSwap<T>,
    counts: Counts,
}

/// The counts of reloads since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// Successful reloads.
    pub done: u64,
    /// Changes that could not be loaded; each is counted once, without its retries.
    pub failed: u64,
    /// Whether the current files cannot be loaded.
    pub failing: bool,
}

/// A failure to start watching.
#[derive(Debug, thiserror::Error)]
pub enum WatchError<E: std::error::Error + 'static> {
    /// The files cannot be loaded.
    #[error(transparent)]
    Load(E),
    /// The thread that watches the files did not start.
    #[error("cannot watch the files for changes: {0}")]
    Thread(io::Error),
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Loads the value and starts a thread that watches `files`; `what` names the value in the log.
    /// The thread ends once the value is dropped.
    ///
    /// # Errors
    /// [`WatchError`].
    pub fn start<E: std::error::Error + 'static>(
        what: &'static str,
        files: Vec<PathBuf>,
        load: impl Fn() -> Result<T, E> + Send + 'static,
    ) -> Result<Arc<Self>, WatchError<E>> {
        let seen = fingerprint(&files);
        let reloading = Arc::new(Self {
            current: ArcSwap::from_pointee(load().map_err(WatchError::Load)?),
            counts: Counts::default(),
        });
        let watcher = Watcher {
            what,
            files,
            load,
            watched: Arc::downgrade(&reloading),
        };
        thread::Builder::new()
            .name("certs-reload".to_owned())
            .spawn(move || watcher.watch(seen))
            .map_err(WatchError::Thread)?;
        Ok(reloading)
    }
}

impl<T> Reloading<T> {
    /// The last good value.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// The counts of reloads so far.
    pub fn reloads(&self) -> Reloads {
        Reloads {
            done: self.counts.done.load(Relaxed),
            failed: self.counts.failed.load(Relaxed),
            failing: self.counts.failing.load(Relaxed),
        }
    }
}

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    failed: AtomicU64,
    failing: AtomicBool,
}

struct Watcher<T, F> {
    what: &'static str,
    files: Vec<PathBuf>,
    load: F,
    watched: Weak<Reloading<T>>,
}

impl<T, E: std::error::Error, F: Fn() -> Result<T, E>> Watcher<T, F> {
    fn watch(&self, mut seen: Fingerprint) {
        let what = self.what;
        let mut reminder: Option<Instant> = None;
        loop {
            thread::sleep(INTERVAL);
            let Some(reloading) = self.watched.upgrade() else {
                return;
            };
            // Before the files are read: a change in between is then found by the next check.
            let now = fingerprint(&self.files);
            let changed = now != seen;
            if !changed && reminder.is_none() {
                continue;
            }
            seen = now;
            let counts = &reloading.counts;
            match (self.load)() {
                Ok(value) => {
                    reloading.current.store(Arc::new(value));
                    reminder = None;
                    counts.done.fetch_add(1, Relaxed);
                    tracing::info!(what, "reloaded");
                }
                Err(error) => {
                    counts.failed.fetch_add(changed.into(), Relaxed);
                    if changed || reminder.is_none_or(|due| due <= Instant::now()) {
                        reminder = Some(Instant::now() + REMINDER);
                        tracing::error!(
                            what, %error,
                            "cannot reload: the last good value stays in use"
                        );
                    }
                }
            }
            counts.failing.store(reminder.is_some(), Relaxed);
        }
    }
}

type Fingerprint = Vec<Result<[i128; 4], io::ErrorKind>>;

/// The device, inode, size and change time of each file: at least one differs after a change.
fn fingerprint(files: &[PathBuf]) -> Fingerprint {
    let metadata = |path: &PathBuf| {
        let data = fs::metadata(path).map_err(|error| error.kind())?;
        let changed = i128::from(data.ctime()) * 1_000_000_000 + i128::from(data.ctime_nsec());
        Ok([
            data.dev().into(),
            data.ino().into(),
            data.size().into(),
            changed,
        ])
    };
    files.iter().map(metadata).collect()
}

#[cfg(test)]
mod tests;
