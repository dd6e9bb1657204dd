use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::BytesMut;
use tokio::io::{AsyncBufRead, AsyncWrite};
use tokio_rustls::client::TlsStream;

use super::{socket::Socket, watch::Watch};

/// A verified connection to an app, and what was received on it and not yet read. Dropping it
/// closes it.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) tls: TlsStream<Socket>,
    pub(super) inbox: BytesMut,
    pub(super) watch: Arc<Watch>,
    /// When it was made, by the coarse clock.
    pub(super) born: u64,
    /// Since when it has waited.
    pub(super) since: u64,
    /// It has carried a request before.
    pub(super) reused: bool,
}

impl Wire {
    pub(super) fn new(tls: TlsStream<Socket>, watch: Arc<Watch>, now: u64) -> Box<Self> {
        Box::new(Self {
            tls,
            inbox: BytesMut::new(),
            watch,
            born: now,
            since: now,
            reused: false,
        })
    }

    /// Receives more into the inbox: 0 bytes are the end, as the app meant it. A connection that
    /// was cut is an error.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut tls = Pin::new(&mut self.tls);
        let received = ready!(tls.as_mut().poll_fill_buf(cx))?;
        let count = received.len();
        self.inbox.extend_from_slice(received);
        tls.consume(count);
        Poll::Ready(Ok(count))
    }

    /// How many bytes were sent, in all.
    pub(super) fn sent(&self) -> u64 {
        self.tls.get_ref().0.sent()
    }

    /// Whether it is open and nothing comes that nobody asked for. Costs no call of the system: it
    /// has told already if there is something.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.inbox.is_empty() && Pin::new(&mut self.tls).poll_fill_buf(&mut cx).is_pending()
    }

    /// Takes leave, as far as that is possible at once, and closes.
    pub(super) fn retire(mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        drop(Pin::new(&mut self.tls).poll_shutdown(&mut cx));
    }
}
