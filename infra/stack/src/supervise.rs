//! Watching over a running stack: what ends unexpectedly is reported with the end of its log and
//! started again, unless it keeps ending; a signal stops everything in order.

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

/// So many ends within [`WINDOW`] are too many.
const LIMIT: usize = 5;
const WINDOW: Duration = Duration::from_mins(1);

/// The signals that mean "stop".
#[derive(Debug)]
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl StopSignals {
    /// From here on, they no longer end this process by themselves.
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

/// Watches until a process keeps ending.
///
/// # Errors
/// Always: it returns only when it gives up. To stop watching, drop it.
pub(crate) async fn watch(stack: &mut Stack) -> anyhow::Result<()> {
    let mut ends: VecDeque<Instant> = VecDeque::new();
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
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
