use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;

use crate::LoadError;

/// How often the files are looked at. A change is served after at most twice this.
const INTERVAL: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1000 });

/// What was made of some files, and is made anew when they change.
///
/// If the new files can't be used (half-written, of another key), the last good value stays, and
/// an error is logged; they are tried again until they can.
pub(crate) struct Reloading<T> {
    current: ArcSwap<T>,
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Loads for the first time, and begins to watch. Dropping the value ends the watching.
    pub(crate) fn start(
        what: &'static str,
        files: Vec<PathBuf>,
        load: impl Fn() -> Result<T, LoadError> + Send + 'static,
    ) -> Result<Arc<Self>, LoadError> {
        let seen = fingerprint(&files);
        let reloading = Arc::new(Self {
            current: ArcSwap::from_pointee(load()?),
        });
        let watched = Arc::downgrade(&reloading);
        thread::Builder::new()
            .name("certs-reload".to_owned())
            .spawn(move || watch(what, &files, &load, seen, &watched))
            .map_err(LoadError::Watch)?;
        Ok(reloading)
    }

    /// The last good value.
    pub(crate) fn current(&self) -> Arc<T> {
        self.current.load_full()
    }
}

fn watch<T>(
    what: &'static str,
    files: &[PathBuf],
    load: &impl Fn() -> Result<T, LoadError>,
    mut seen: Fingerprint,
    watched: &Weak<Reloading<T>>,
) {
    let mut failing = false;
    loop {
        thread::sleep(INTERVAL);
        let Some(reloading) = watched.upgrade() else {
            return;
        };
        // Taken before the files are read: a change in between is then seen at the next look.
        let now = fingerprint(files);
        let changed = now != seen;
        if !changed && !failing {
            continue;
        }
        seen = now;
        match load() {
            Ok(value) => {
                reloading.current.store(Arc::new(value));
                failing = false;
                tracing::info!(what, "reloaded");
            }
            Err(error) => {
                failing = true;
                if changed {
                    tracing::error!(what, %error, "can't reload: the last good one stays in use");
                }
            }
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
