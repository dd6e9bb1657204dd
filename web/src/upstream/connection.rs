//! A pooled connection to an endpoint.

use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;

use bytes::BytesMut;
use tokio::io::AsyncBufRead;
use tokio::io::AsyncWrite;
use tokio::task::coop::unconstrained;
use tokio_rustls::client::TlsStream;

use super::deadline::Deadline;
use super::socket::Socket;

/// A verified connection to an endpoint, with its read buffer. Dropping it closes the connection.
/// Times are those of the coarse clock, in milliseconds.
#[derive(Debug)]
pub(super) struct PooledConnection {
    pub(super) tls: TlsStream<Socket>,
    pub(super) inbox: BytesMut,
    pub(super) deadline: Arc<Deadline>,
    /// After this time the connection is not used for further requests.
    pub(super) expires: u64,
    pub(super) idle_since: u64,
    /// Whether the connection has carried a request before.
    pub(super) reused: bool,
}

impl PooledConnection {
    pub(super) fn new(
        tls: TlsStream<Socket>,
        deadline: Arc<Deadline>,
        now: u64,
        expires: u64,
    ) -> Box<Self> {
        Box::new(Self {
            tls,
            inbox: BytesMut::new(),
            deadline,
            expires,
            idle_since: now,
            reused: false,
        })
    }

    /// Receives into the inbox; 0 bytes mean a close with `close_notify`.
    ///
    /// # Errors
    /// The I/O error, also for a connection that ended without `close_notify`.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut tls = Pin::new(&mut self.tls);
        let received = ready!(tls.as_mut().poll_fill_buf(cx))?;
        let count = received.len();
        self.inbox.extend_from_slice(received);
        tls.consume(count);
        Poll::Ready(Ok(count))
    }

    /// The number of bytes sent on the connection.
    pub(super) fn sent(&self) -> u64 {
        self.tls.get_ref().0.sent()
    }

    /// Whether the connection is open and has no unsolicited data. No system call: readiness is
    /// already known.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let tls = &mut self.tls;
        let fill = poll_fn(|cx| Pin::new(&mut *tls).poll_fill_buf(cx).map(drop));
        // A task that has used up its budget of tokio would see any connection as quiet.
        self.inbox.is_empty() && pin!(unconstrained(fill)).poll(&mut cx).is_pending()
    }

    /// Closes the connection; sends `close_notify` if that is possible without waiting.
    pub(super) fn close(mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        drop(Pin::new(&mut self.tls).poll_shutdown(&mut cx));
    }
}
