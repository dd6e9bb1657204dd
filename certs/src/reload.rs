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

/// How often the files are looked at. A change is served after at most twice this.
const INTERVAL: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1000 });

/// How often a failure that lasts is said again.
const REMINDER: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 60_000 });

/// What was made of some files, and is made anew when they change.
///
/// If the new files can't be used (half-written, of another key), the last good value stays, and
/// an error is logged, again and again; they are tried each second until they can.
pub struct Reloading<T> {
    current: ArcSwap<T>,
    counts: Counts,
}

/// How often files were taken up anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// Changes that were taken up.
    pub done: u64,
    /// Changes that could not be used.
    pub failed: u64,
    /// Whether what is in the files now can't be used.
    pub failing: bool,
}

/// Why watching did not begin.
#[derive(Debug, thiserror::Error)]
pub enum WatchError<E: std::error::Error + 'static> {
    /// What is in the files now can't be used.
    #[error(transparent)]
    Load(E),
    /// The thread that watches the files did not start.
    #[error("can't watch the files for changes: {0}")]
    Thread(io::Error),
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Loads for the first time, and begins to watch `files`; `what` is what the log calls them.
    /// Dropping the value ends the watching.
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

    /// How often that changed, and how often it should have.
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
            // Taken before the files are read: a change in between is seen at the next look.
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
                            "can't reload: the last good one stays in use"
                        );
                    }
                }
            }
            counts.failing.store(reminder.is_some(), Relaxed);
        }
    }
}

type Fingerprint = Vec<Result<[i128; 4], io::ErrorKind>>;

/// What changes when a file does: it is another file, has another size, or was written.
fn fingerprint(files: &[PathBuf]) -> Fingerprint {
    let of = |path: &PathBuf| {
        let data = fs::metadata(path).map_err(|error| error.kind())?;
        let changed = i128::from(data.ctime()) * 1_000_000_000 + i128::from(data.ctime_nsec());
        Ok([
            data.dev().into(),
            data.ino().into(),
            data.size().into(),
            changed,
        ])
    };
    files.iter().map(of).collect()
}

#[cfg(test)]
mod tests;
