//! The buffered writer of log lines to standard output.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

/// Buffered bytes at which the buffer is written at once.
const MAX_BUFFERED_BYTES: usize = 16 * 1024;
/// Maximum time that a line stays in the buffer.
const MAX_DELAY: Duration = Duration::from_millis(50);

/// A destination of log lines.
pub(crate) trait Output: Send + Sync + 'static {
    /// Writes a line. An urgent line is written before this returns, together with all earlier
    /// ones. A failed write is ignored: a full disk must not stop a tier.
    fn line(&self, line: &[u8], urgent: bool);
}

/// Standard output, buffered: every request logs a line, and each write is a system call. A process
/// that is killed loses the lines of the last [`MAX_DELAY`]. (What must not be lost is in the audit
/// trail.)
#[derive(Default)]
pub(crate) struct Stdout {
    buffer: Mutex<Vec<u8>>,
    /// Notified when the buffer is no longer empty.
    filled: Condvar,
}

impl Stdout {
    /// Starts the thread that writes the buffer.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn start() -> io::Result<Arc<Self>> {
        let output = Arc::new(Self::default());
        let writer = Arc::clone(&output);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                loop {
                    writer.wait_until_filled();
                    thread::sleep(MAX_DELAY);
                    writer.flush();
                }
            })?;
        Ok(output)
    }

    /// Writes the buffer.
    pub(crate) fn flush(&self) {
        write(&mut self.buffer());
    }

    fn wait_until_filled(&self) {
        let buffer = self.buffer();
        drop(self.filled.wait_while(buffer, |buffer| buffer.is_empty()));
    }

    fn buffer(&self) -> MutexGuard<'_, Vec<u8>> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output for Arc<Stdout> {
    fn line(&self, line: &[u8], urgent: bool) {
        let mut buffer = self.buffer();
        let was_empty = buffer.is_empty();
        buffer.extend_from_slice(line);
        if urgent || buffer.len() >= MAX_BUFFERED_BYTES {
            write(&mut buffer);
        } else if was_empty {
            self.filled.notify_one();
        }
    }
}

fn write(buffer: &mut Vec<u8>) {
    let mut stdout = io::stdout().lock();
    drop(stdout.write_all(buffer).and_then(|()| stdout.flush()));
    buffer.clear();
}
