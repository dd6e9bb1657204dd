//! Detection of clients that do not read from the kernel's send buffer.

use std::os::fd::AsFd;
use std::task::Context;
use std::time::Duration;

use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::poll::poll;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::limits::Limits;
use crate::timer::Timer;

/// Upper bound of the binary search in [`unsent`], in bytes.
const MAX_UNSENT: u32 = 1 << 23;

/// A detector of clients that stop reading.
///
/// A small response fits into the kernel's send buffer: to HTTP it is sent, and the connection of a
/// client that does not read seems idle. So the guard checks, at an interval after a write, how
/// much the kernel still holds. Requests need no further timer, and idle connections no system
/// call.
pub(super) struct WriteStallGuard {
    interval: Duration,
    /// Bytes that a client must read between two checks while the kernel holds unsent bytes.
    min_bytes_per_interval: u32,
    timer: Option<Timer>,
    /// The time of the next check, while written bytes may still be unread.
    due: Option<Instant>,
    /// Bytes written to the socket since the last check.
    written: u32,
    /// The time of the last write.
    written_at: Option<Instant>,
    /// Bytes the kernel still held at the last check.
    unsent: u32,
}

impl WriteStallGuard {
    pub(super) fn new(limits: &Limits) -> Self {
        let interval = limits.write_stall_interval;
        let seconds = u32::try_from(interval.as_secs()).unwrap_or(u32::MAX);
        Self {
            interval,
            min_bytes_per_interval: limits.min_bytes_per_second.saturating_mul(seconds),
            timer: None,
            due: None,
            written: 0,
            written_at: None,
            unsent: 0,
        }
    }

    /// Records bytes that the kernel accepted.
    pub(super) fn on_write(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let now = Instant::now();
        self.written = self.written.saturating_add(bytes);
        self.written_at = Some(now);
        self.due.get_or_insert(now + self.interval);
    }

    /// Whether the kernel may hold unsent bytes.
    pub(super) fn is_armed(&self) -> bool {
        self.due.is_some()
    }

    /// Records that the kernel has sent everything.
    pub(super) fn disarm(&mut self) {
        self.due = None;
    }

    /// Whether the client has read too little for too long. Otherwise the task is woken for the next
    /// check.
    pub(super) fn is_stalled(&mut self, tcp: &TcpStream, cx: &mut Context<'_>) -> bool {
        while let Some(due) = self.due {
            let timer = self.timer.get_or_insert_with(|| Timer::new(due));
            if timer.poll(cx, due).is_pending() {
                return false;
            }
            if !self.has_progressed(unsent(tcp)) {
                return true;
            }
            self.due = (self.unsent > 0).then(|| Instant::now() + self.interval);
        }
        false
    }

    /// Whether the client has read enough since the last check, or could not yet.
    fn has_progressed(&mut self, unsent: u32) -> bool {
        let written = std::mem::take(&mut self.written);
        let before = std::mem::replace(&mut self.unsent, unsent);
        let read = before.saturating_add(written).saturating_sub(unsent);
        // At the upper bound of the measurement, progress is visible only at the next check.
        let saturated = unsent == MAX_UNSENT && before < MAX_UNSENT;
        // Bytes that were written just now cannot be read yet.
        let recent = self
            .written_at
            .is_some_and(|at| at.elapsed() < self.interval / 2);
        let judged = before > 0 || !recent;
        unsent == 0 || !judged || saturated || read >= self.min_bytes_per_interval
    }
}

/// The bytes that the kernel has not sent yet, to within a KiB.
///
/// No safe call returns this number, so a binary search finds it.
fn unsent(tcp: &TcpStream) -> u32 {
    let (mut low, mut high) = (0, MAX_UNSENT);
    if is_sent(tcp) {
        high = 0;
    }
    while high - low > 1024 {
        let middle = low.midpoint(high);
        if holds_less_than(tcp, middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    // 0 restores the system's default.
    let _ = SockRef::from(tcp).set_tcp_notsent_lowat(0);
    high
}

/// Whether the kernel has sent all bytes, or never will: the connection has ended. Until then the
/// socket is not writable.
pub(super) fn is_sent(tcp: &TcpStream) -> bool {
    holds_less_than(tcp, 1)
}

/// Whether the kernel holds fewer unsent bytes than these: `TCP_NOTSENT_LOWAT` sets the number
/// (half of the option's value) below which a socket is writable.
fn holds_less_than(tcp: &TcpStream, bytes: u32) -> bool {
    let mut polled = [PollFd::new(tcp.as_fd(), PollFlags::POLLOUT)];
    SockRef::from(tcp)
        .set_tcp_notsent_lowat(bytes.saturating_mul(2))
        .is_err()
        || poll(&mut polled, PollTimeout::ZERO) != Ok(0)
}
