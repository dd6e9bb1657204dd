//! The lock of a stack's folder. The kernel holds it, and releases it when the process ends: a file that is left behind
//! locks nothing.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;

use crate::home::Home;

/// The exclusive right to run the stack of one folder; released when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// When a running stack holds it; says which process.
    pub(crate) fn take(home: &Home) -> anyhow::Result<Self> {
        let path = home.lock();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)
                    .context("the lock cannot be read")?;
                bail!(
                    "a stack already runs in {} (process {}). See it with `cargo stack status`, \
                     stop it with `cargo stack down`, or start another with --home DIR and ports \
                     of its own.",
                    home.root().display(),
                    holder.trim()
                )
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .context("the lock cannot be written")?;
        writeln!(file, "{}", std::process::id()).context("the lock cannot be written")?;
        Ok(Self { _file: file })
    }

    /// Takes the lock, waiting up to `patience` for its holder to release it.
    pub(crate) async fn take_within(home: &Home, patience: Duration) -> anyhow::Result<Self> {
        let deadline = Instant::now() + patience;
        loop {
            match Self::take(home) {
                Err(_) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holds_the_lock_and_a_file_left_behind_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        std::fs::write(home.lock(), "999999999\n").unwrap();
        let lock = Lock::take(&home).unwrap();
        let refused = Lock::take(&home).unwrap_err().to_string();
        assert!(refused.contains("cargo stack down"), "{refused}");
        drop(lock);
        Lock::take(&home).unwrap();
    }
}
