//! The body of an HTTP/1.1 request, read from its connection when polled.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use super::buffered_stream::BufferedStream;
use super::chunked::Chunked;
use super::chunked::Piece;
use super::chunked::take;
use super::head;
use crate::handler::BodyError;
use crate::handler::RequestBody;

/// The response to `Expect: 100-continue` (RFC 9110, 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The body of the current request of a connection.
pub(super) struct IncomingBody<'s, S> {
    stream: &'s mut BufferedStream<S>,
    framing: Framing,
    /// The part of [`CONTINUE`] that the client still waits for.
    interim: &'static [u8],
}

enum Framing {
    Length(u64),
    Chunked(Chunked),
}

impl<'s, S> IncomingBody<'s, S> {
    pub(super) fn new(stream: &'s mut BufferedStream<S>, head: &head::Head) -> Self {
        let framing = match head.framing {
            head::Framing::None => Framing::Length(0),
            head::Framing::Length(length) => Framing::Length(length),
            head::Framing::Chunked => Framing::Chunked(Chunked::default()),
        };
        let expects = head.expects && head.framing != head::Framing::None;
        Self {
            stream,
            framing,
            interim: if expects { CONTINUE } else { b"" },
        }
    }

    /// Whether the whole body was read, so that the next request may follow.
    pub(super) fn is_complete(&self) -> bool {
        match &self.framing {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunked) => chunked.is_complete(),
        }
    }

    /// Decodes the buffered bytes.
    fn decode(&mut self) -> Result<Piece, BodyError> {
        let inbox = &mut self.stream.inbox;
        match &mut self.framing {
            Framing::Length(0) => Ok(Piece::End),
            Framing::Length(_) if inbox.is_empty() => Ok(Piece::More),
            Framing::Length(left) => {
                let (data, rest) = take(inbox, *left);
                *left = rest;
                Ok(Piece::Data(data))
            }
            Framing::Chunked(chunked) => chunked
                .decode(inbox)
                .map_err(|_broken| BodyError::Malformed),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> IncomingBody<'_, S> {
    fn poll_continue(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        // A client that has begun to send does not wait for 100 Continue.
        if !self.stream.inbox.is_empty() {
            self.interim = b"";
        }
        while !self.interim.is_empty() {
            let written = ready!(Pin::new(&mut self.stream.io).poll_write(cx, self.interim));
            let written = written.map_err(|_closed| BodyError::Disconnected)?;
            self.interim = self.interim.get(written..).unwrap_or_default();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Body for IncomingBody<'_, S> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            match this.decode() {
                Ok(Piece::End) => return Poll::Ready(None),
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Piece::More) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            if let Err(error) = ready!(this.poll_continue(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
            match ready!(this.stream.poll_fill(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(BodyError::Disconnected))),
                Ok(_) => {}
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_complete()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.framing {
            Framing::Length(left) => SizeHint::with_exact(*left),
            Framing::Chunked(chunked) if chunked.is_complete() => SizeHint::with_exact(0),
            Framing::Chunked(_) => SizeHint::new(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> RequestBody for IncomingBody<'_, S> {
    fn poll_disconnected(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A client may pipeline its next request, of which at most one head is buffered.
        while self.stream.has_room() {
            match ready!(self.stream.poll_fill(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }
}
