//! The supervisor of a running stack: it reports a process that ended unexpectedly with the end of its log and starts
//! it again, unless it keeps ending; on a signal it stops all processes in order.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::process::last_lines;
use crate::stack::Stack;

/// Unexpected ends within [`WINDOW`] after which the supervisor gives up.
const LIMIT: usize = 5;
/// Time in which unexpected ends are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// The signals that mean "stop".
#[derive(Debug)]
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl StopSignals {
    /// Registers the handlers: from here on, the signals do not end this process.
    ///
    /// # Errors
    /// When a handler cannot be registered.
    pub fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for Ctrl-C, SIGTERM, or the terminal going away.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Supervises the processes until one of them keeps ending.
///
/// # Errors
/// Always: it returns only when it gives up. Dropped, it stops supervising.
pub(crate) async fn watch(stack: &mut Stack) -> anyhow::Result<()> {
    let mut ends: VecDeque<Instant> = VecDeque::new();
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        if !stack.is_supervised_here()? {
            bail!(
                "the folder of the stack was removed, or another process supervises it: stopping"
            );
        }
        for (name, ending) in stack.endings() {
            let log = stack.home().log(name);
            eprintln!(
                "{name} ended unexpectedly ({ending}). The end of {}:",
                log.display()
            );
            eprint!("{}", last_lines(&log, 15));
            ends.push_back(Instant::now());
            ends.retain(|end| end.elapsed() < WINDOW);
            if ends.len() > LIMIT {
                bail!("{name} keeps ending; its log is {}", log.display());
            }
            if name == "kms" {
                bail!(
                    "the key service emulator is gone, and its keys with it: `cargo stack reset`"
                );
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            match stack.start(name).await {
                Ok(()) => eprintln!("{name} was started again"),
                Err(error) => eprintln!("{name} cannot be started again: {error:#}"),
            }
        }
    }
}
