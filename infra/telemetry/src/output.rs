use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

/// Gathered before it is written, in bytes.
const FULL: usize = 16 * 1024;
/// How long a line may wait for others.
const WAIT: Duration = Duration::from_millis(50);

/// Where lines go.
pub(crate) trait Output: Send + Sync + 'static {
    /// Writes a line, or loses it: a full disk must not stop a tier. One that is urgent is written
    /// before this returns, with all that came before it.
    fn line(&self, line: &[u8], urgent: bool);
}

/// Standard output. Every request is a line, and every write a call into the kernel: so ordinary
/// lines wait a moment for others, and whoever is killed loses those of that moment. (What must not
/// be lost is in the audit trail.)
#[derive(Default)]
pub(crate) struct Stdout {
    lines: Mutex<Vec<u8>>,
    some: Condvar,
}

impl Stdout {
    /// Begins to write.
    ///
    /// # Errors
    /// The thread that does it can't be started.
    pub(crate) fn start() -> io::Result<Arc<Self>> {
        let output = Arc::new(Self::default());
        let writing = Arc::clone(&output);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                loop {
                    writing.await_some();
                    thread::sleep(WAIT);
                    writing.flush();
                }
            })?;
        Ok(output)
    }

    /// Writes what has been gathered.
    pub(crate) fn flush(&self) {
        write(&mut self.gathered());
    }

    fn await_some(&self) {
        let lines = self.gathered();
        drop(self.some.wait_while(lines, |lines| lines.is_empty()));
    }

    fn gathered(&self) -> MutexGuard<'_, Vec<u8>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output for Arc<Stdout> {
    fn line(&self, line: &[u8], urgent: bool) {
        let mut lines = self.gathered();
        let first = lines.is_empty();
        lines.extend_from_slice(line);
        if urgent || lines.len() >= FULL {
            write(&mut lines);
        } else if first {
            self.some.notify_one();
        }
    }
}

fn write(lines: &mut Vec<u8>) {
    let mut stdout = io::stdout().lock();
    drop(stdout.write_all(lines).and_then(|()| stdout.flush()));
    lines.clear();
}
