use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{connection::Line, head};
use crate::{
    body::{BodyError, RequestBody},
    chunked::{Chunked, Piece, take},
};

/// What tells a client that waits to go on (RFC 9110, 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A request's body, read from its connection as it is asked for.
pub(super) struct Incoming<'l, S> {
    line: &'l mut Line<S>,
    framing: Framing,
    /// What is still to be said before the client sends.
    invitation: &'static [u8],
}

enum Framing {
    Length(u64),
    Chunked(Chunked),
}

impl<'l, S> Incoming<'l, S> {
    pub(super) fn new(line: &'l mut Line<S>, head: &head::Head) -> Self {
        let framing = match head.framing {
            head::Framing::None => Framing::Length(0),
            head::Framing::Length(length) => Framing::Length(length),
            head::Framing::Chunked => Framing::Chunked(Chunked::default()),
        };
        let waits = head.expects && head.framing != head::Framing::None;
        Self {
            line,
            framing,
            invitation: if waits { CONTINUE } else { b"" },
        }
    }

    /// Whether all of it was read, so that the next request may follow.
    pub(super) fn is_over(&self) -> bool {
        match &self.framing {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunked) => chunked.is_over(),
        }
    }

    /// Takes what there is of the body from what was read.
    fn take(&mut self) -> Result<Piece, BodyError> {
        let inbox = &mut self.line.inbox;
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

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<'_, S> {
    fn poll_invite(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        // Who has begun to send waits for nothing.
        if !self.line.inbox.is_empty() {
            self.invitation = b"";
        }
        while !self.invitation.is_empty() {
            let sent = ready!(Pin::new(&mut self.line.stream).poll_write(cx, self.invitation));
            let sent = sent.map_err(|_gone| BodyError::Gone)?;
            self.invitation = self.invitation.get(sent..).unwrap_or_default();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Body for Incoming<'_, S> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            match this.take() {
                Ok(Piece::End) => return Poll::Ready(None),
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Piece::More) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            if let Err(error) = ready!(this.poll_invite(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
            match ready!(this.line.poll_fill(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(BodyError::Gone))),
                Ok(_) => {}
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.framing {
            Framing::Length(left) => SizeHint::with_exact(*left),
            Framing::Chunked(chunked) if chunked.is_over() => SizeHint::with_exact(0),
            Framing::Chunked(_) => SizeHint::new(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> RequestBody for Incoming<'_, S> {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A client may send its next request meanwhile; no more than one head of it is kept.
        while self.line.has_room() {
            match ready!(self.line.poll_fill(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }
}
