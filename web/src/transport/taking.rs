use std::{
    io,
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::SockRef;
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use crate::limits::{LEAST_TAKEN, UNTAKEN, VANISHED};

/// Sees to it that a client takes what it is sent.
///
/// A small answer to a client that does not read goes into the kernel's buffer: to HTTP it is sent,
/// and the connection looks idle. So the kernel is asked now and then, after something was written,
/// whether it still has it all. No timer is set for a request, and nothing is asked of the kernel
/// for a connection that waits.
#[derive(Debug, Default)]
pub(super) struct Taking {
    alarm: Option<Pin<Box<Sleep>>>,
    /// Whether there is something to look after.
    armed: bool,
    /// What the kernel took of us since the last look, in bytes.
    given: u32,
    /// What it still had of it at that look.
    unsent: u32,
    /// Since when the kernel takes no more.
    blocked: Option<Instant>,
    given_up: bool,
}

/// Lets the kernel end by itself what nobody reads after we have let go of it.
pub(super) fn prepare(tcp: &TcpStream) -> io::Result<()> {
    SockRef::from(tcp).set_tcp_user_timeout(Some(VANISHED))
}

impl Taking {
    /// So many bytes were taken of us.
    pub(super) fn wrote(&mut self, bytes: usize, cx: &mut Context<'_>) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.given = self.given.saturating_add(bytes);
        self.blocked = None;
        if !self.armed {
            self.armed = true;
            self.arm(cx);
        }
    }

    /// The kernel takes no more for now.
    pub(super) fn blocked(&mut self) {
        self.blocked.get_or_insert_with(Instant::now);
    }

    /// Whether the client has taken too little for too long.
    pub(super) fn is_over(&mut self, tcp: &TcpStream, cx: &mut Context<'_>) -> bool {
        if !self.armed || !self.alarm.as_ref().is_some_and(|alarm| alarm.is_elapsed()) {
            return self.given_up;
        }
        let given = std::mem::take(&mut self.given);
        let unsent = unsent(tcp);
        let taken = self.unsent.saturating_add(given).saturating_sub(unsent);
        // As much as the kernel can hold: what was taken shows at the next look.
        let filled = unsent == MOST && self.unsent < MOST;
        self.unsent = unsent;
        self.armed = unsent > 0;
        self.given_up = self.armed && taken < LEAST_TAKEN && !filled;
        if self.armed && !self.given_up {
            self.arm(cx);
        }
        self.given_up
    }

    /// Ends the connection at once, and what the kernel holds for it, if its client is the reason
    /// for its end. Otherwise the kernel goes on sending what it has.
    pub(super) fn end(&self, tcp: &TcpStream) {
        let blocked = self.blocked.is_some_and(|since| since.elapsed() >= UNTAKEN);
        if self.given_up || blocked {
            // A socket that cannot be told has ended already.
            let _ = tcp.set_zero_linger();
        }
    }

    fn arm(&mut self, cx: &mut Context<'_>) {
        let due = Instant::now() + UNTAKEN;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
        alarm.as_mut().reset(due);
        // It wakes the connection's task, which then reads.
        if let Poll::Ready(()) = alarm.as_mut().poll(cx) {
            cx.waker().wake_by_ref();
        }
    }
}

/// More than this is not told apart, in bytes.
const MOST: u32 = 1 << 23;

/// How much the kernel has that it could not send yet, to within a KiB.
///
/// There is no safe call that tells, but one that sets how much there may be while a socket still
/// counts as writable: `TCP_NOTSENT_LOWAT`, twice as much. So it is asked for one number after the
/// other.
fn unsent(tcp: &TcpStream) -> u32 {
    let socket = SockRef::from(tcp);
    let is_less_than = |bytes: u32| {
        let mut polled = [PollFd::new(tcp.as_fd(), PollFlags::POLLOUT)];
        socket
            .set_tcp_notsent_lowat(bytes.saturating_mul(2))
            .is_err()
            || poll(&mut polled, PollTimeout::ZERO) != Ok(0)
    };
    let (mut least, mut most) = (0, MOST);
    if is_less_than(1) {
        most = 0;
    }
    while most - least > 1024 {
        let middle = least.midpoint(most);
        if is_less_than(middle) {
            most = middle;
        } else {
            least = middle;
        }
    }
    // 0 is the system's own setting.
    let _ = socket.set_tcp_notsent_lowat(0);
    most
}
