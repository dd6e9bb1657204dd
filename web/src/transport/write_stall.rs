//! Detection of clients that do not read from the kernel's send buffer.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::poll::poll;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep_until;

use crate::limits::Limits;

/// Upper bound of the binary search in [`unsent`], in bytes.
const MAX_UNSENT: u32 = 1 << 23;

/// A detector of clients that stop reading.
///
/// A small response fits into the kernel's send buffer: to HTTP it is sent, and the connection of a
/// client that does not read seems idle. So the guard checks, at an interval after a write, how
/// much the kernel still holds. Requests need no further timer, and idle connections no system
/// call.
#[derive(Debug)]
pub(super) struct WriteStallGuard {
    interval: Duration,
    /// Bytes that a client must read between two checks while the kernel holds unsent bytes.
    min_bytes_per_interval: u32,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether written bytes may still be unread.
    armed: bool,
    /// Bytes written to the socket since the last check.
    written: u32,
    /// The time of the last write.
    written_at: Option<Instant>,
    /// Bytes the kernel still held at the last check.
    unsent: u32,
    /// Since when the kernel's send buffer is full.
    blocked: Option<Instant>,
    stalled: bool,
}

/// Sets `TCP_USER_TIMEOUT`, so that unread data cannot outlive the connection for long.
pub(super) fn set_user_timeout(tcp: &TcpStream, limits: &Limits) -> io::Result<()> {
    SockRef::from(tcp).set_tcp_user_timeout(Some(limits.tcp_user_timeout))
}

impl WriteStallGuard {
    pub(super) fn new(limits: &Limits) -> Self {
        let interval = limits.write_stall_interval;
        let seconds = u32::try_from(interval.as_secs()).unwrap_or(u32::MAX);
        Self {
            interval,
            min_bytes_per_interval: limits.min_bytes_per_second.saturating_mul(seconds),
            timer: None,
            armed: false,
            written: 0,
            written_at: None,
            unsent: 0,
            blocked: None,
            stalled: false,
        }
    }

    /// Records bytes that the kernel accepted.
    pub(super) fn on_write(&mut self, bytes: usize, cx: &mut Context<'_>) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.written = self.written.saturating_add(bytes);
        self.written_at = Some(Instant::now());
        self.blocked = None;
        if !self.armed {
            self.armed = true;
            self.arm(cx);
        }
    }

    /// Records that the kernel's send buffer is full.
    pub(super) fn on_blocked(&mut self) {
        self.blocked.get_or_insert_with(Instant::now);
    }

    /// Whether the client has read too little for too long.
    pub(super) fn is_stalled(&mut self, tcp: &TcpStream, cx: &mut Context<'_>) -> bool {
        if !self.armed || !self.timer.as_ref().is_some_and(|timer| timer.is_elapsed()) {
            return self.stalled;
        }
        let written = std::mem::take(&mut self.written);
        let unsent = unsent(tcp);
        let read = self.unsent.saturating_add(written).saturating_sub(unsent);
        // At the upper bound of the measurement, progress is visible only at the next check.
        let saturated = unsent == MAX_UNSENT && self.unsent < MAX_UNSENT;
        let had_unsent = self.unsent > 0;
        self.unsent = unsent;
        self.armed = unsent > 0;
        // Bytes that were written just now cannot be read yet.
        let recent = self
            .written_at
            .is_some_and(|at| at.elapsed() < self.interval / 2);
        let judged = had_unsent || !recent;
        self.stalled = self.armed && judged && read < self.min_bytes_per_interval && !saturated;
        if self.armed && !self.stalled {
            self.arm(cx);
        }
        self.stalled
    }

    /// If the client has stalled, makes the close a reset that discards the kernel's send buffer.
    /// Otherwise the kernel keeps sending after the close.
    pub(super) fn abort_if_stalled(&self, tcp: &TcpStream) {
        let blocked = self
            .blocked
            .is_some_and(|since| since.elapsed() >= self.interval);
        if self.stalled || blocked {
            // An error means that the socket has ended already.
            let _ = tcp.set_zero_linger();
        }
    }

    fn arm(&mut self, cx: &mut Context<'_>) {
        let due = Instant::now() + self.interval;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        timer.as_mut().reset(due);
        // Polled, so that the timer wakes the connection's task, whose next read checks the stall.
        if let Poll::Ready(()) = timer.as_mut().poll(cx) {
            cx.waker().wake_by_ref();
        }
    }
}

/// The bytes that the kernel has not sent yet, to within a KiB.
///
/// No safe call returns this number. But `TCP_NOTSENT_LOWAT` sets the number of unsent bytes (half
/// of the option's value) below which the socket is writable, so a binary search finds it.
fn unsent(tcp: &TcpStream) -> u32 {
    let socket = SockRef::from(tcp);
    let is_less_than = |bytes: u32| {
        let mut polled = [PollFd::new(tcp.as_fd(), PollFlags::POLLOUT)];
        socket
            .set_tcp_notsent_lowat(bytes.saturating_mul(2))
            .is_err()
            || poll(&mut polled, PollTimeout::ZERO) != Ok(0)
    };
    let (mut low, mut high) = (0, MAX_UNSENT);
    if is_less_than(1) {
        high = 0;
    }
    while high - low > 1024 {
        let middle = low.midpoint(high);
        if is_less_than(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    // 0 restores the system's default.
    let _ = socket.set_tcp_notsent_lowat(0);
    high
}
