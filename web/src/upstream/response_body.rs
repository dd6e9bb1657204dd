//! The body of an upstream response.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;

use super::connection::PooledConnection;
use super::endpoint::InFlightGuard;
use super::framing::Framing;
use super::framing::FramingError;
use crate::http1::chunked::Piece;

/// A response body that ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamBodyError {
    /// The connection to the endpoint was lost.
    #[error("the response was truncated: {0}")]
    Lost(#[source] io::Error),
    /// The framing of the body is malformed.
    #[error(transparent)]
    Malformed(#[from] FramingError),
    /// The endpoint sent no byte for too long.
    #[error("the endpoint stopped sending within a response")]
    Stalled,
}

/// The body of an upstream response.
///
/// Releases its connection, and is no longer in flight, as soon as the last byte was received.
/// Dropping the body before closes the connection, because the rest of the body would precede the
/// next response.
#[derive(Debug)]
pub(crate) struct UpstreamBody(Source);

#[derive(Debug)]
enum Source {
    /// The whole body is in memory, and the connection is released.
    Buffered(Bytes),
    Streamed(Streamed),
}

/// A body of which a part is outstanding.
#[derive(Debug)]
struct Streamed {
    in_flight: InFlightGuard,
    connection: Box<PooledConnection>,
    framing: Framing,
    /// Whether the connection may carry another request.
    persistent: bool,
    /// The deadline of the next byte, by the coarse clock.
    stall_deadline: u64,
}

impl UpstreamBody {
    pub(super) fn new(
        in_flight: InFlightGuard,
        connection: Box<PooledConnection>,
        framing: Framing,
        persistent: bool,
    ) -> Self {
        connection.deadline.clear();
        let mut body = Self(Source::Streamed(Streamed {
            in_flight,
            connection,
            framing,
            persistent,
            stall_deadline: 0,
        }));
        // A short response arrives with its head: its connection is released at once.
        body.release_if_received();
        body
    }

    /// Whether the whole body is in memory.
    pub(crate) fn is_buffered(&self) -> bool {
        matches!(self.0, Source::Buffered(_))
    }

    /// Reads a body of known length into memory.
    ///
    /// # Errors
    /// [`UpstreamBodyError`], if the body ends early.
    pub(crate) async fn prebuffer(&mut self) -> Result<(), UpstreamBodyError> {
        while let Source::Streamed(streamed) = &mut self.0 {
            if !poll_fn(|cx| streamed.poll_receive(cx)).await? {
                return Err(truncated());
            }
            self.release_if_received();
        }
        Ok(())
    }

    /// Releases the connection if the whole body, of known length, was received.
    fn release_if_received(&mut self) {
        let Source::Streamed(streamed) = &mut self.0 else {
            return;
        };
        let received = streamed.connection.inbox.len();
        if let Framing::Length(length) = streamed.framing
            && usize::try_from(length).is_ok_and(|length| length <= received)
            && let Ok(piece) = streamed.framing.decode(&mut streamed.connection.inbox)
        {
            let data = match piece {
                Piece::Data(data) => data,
                Piece::More | Piece::End => Bytes::new(),
            };
            self.end(data);
        }
    }

    /// Ends the exchange after its last byte, and releases the connection.
    fn end(&mut self, data: Bytes) {
        let before = std::mem::replace(&mut self.0, Source::Buffered(data));
        if let Source::Streamed(streamed) = before
            && streamed.persistent
            && streamed.connection.inbox.is_empty()
        {
            streamed.in_flight.release(streamed.connection);
        }
    }
}

impl Streamed {
    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, UpstreamBodyError>> {
        loop {
            match self.framing.decode(&mut self.connection.inbox)? {
                Piece::Data(data) => return Poll::Ready(Ok(Some(data))),
                Piece::End => return Poll::Ready(Ok(None)),
                Piece::More => {}
            }
            if !ready!(self.poll_receive(cx))? {
                return Poll::Ready(match self.framing {
                    Framing::UntilClose => Ok(None),
                    Framing::Length(_) | Framing::Chunked(_) => Err(truncated()),
                });
            }
        }
    }

    /// Receives at least one byte. Returns false at a close with `close_notify`.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, UpstreamBodyError>> {
        if let Poll::Ready(received) = self.connection.poll_fill(cx) {
            self.connection.deadline.clear();
            return Poll::Ready(match received {
                Ok(count) => Ok(count > 0),
                Err(error) => Err(UpstreamBodyError::Lost(error)),
            });
        }
        let deadline = &self.connection.deadline;
        // Set only while this side waits for the endpoint: a slow client is not the endpoint's
        // fault.
        if !deadline.is_set() {
            self.stall_deadline = self.in_flight.stall_deadline();
            deadline.set(self.stall_deadline);
        }
        if deadline.has_passed(cx) {
            if self.in_flight.endpoint().context.clock.now() >= self.stall_deadline {
                return Poll::Ready(Err(UpstreamBodyError::Stalled));
            }
            // The endpoint was ejected as silent, which is no reason to truncate a response.
            deadline.set(self.stall_deadline);
        }
        Poll::Pending
    }
}

fn truncated() -> UpstreamBodyError {
    UpstreamBodyError::Lost(io::ErrorKind::UnexpectedEof.into())
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = UpstreamBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamBodyError>>> {
        let streamed = match &mut self.0 {
            Source::Buffered(data) if data.is_empty() => return Poll::Ready(None),
            Source::Buffered(data) => {
                return Poll::Ready(Some(Ok(Frame::data(std::mem::take(data)))));
            }
            Source::Streamed(streamed) => streamed,
        };
        let polled = ready!(streamed.poll_data(cx));
        match &polled {
            Ok(Some(_)) if !streamed.framing.is_complete() => {}
            Ok(_) => self.end(Bytes::new()),
            // Dropping the connection closes it.
            Err(_) => self.0 = Source::Buffered(Bytes::new()),
        }
        Poll::Ready(polled.transpose().map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Source::Buffered(data) if data.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Buffered(data) => {
                SizeHint::with_exact(u64::try_from(data.len()).unwrap_or(u64::MAX))
            }
            Source::Streamed(Streamed {
                framing: Framing::Length(left),
                ..
            }) => SizeHint::with_exact(*left),
            Source::Streamed(_) => SizeHint::default(),
        }
    }
}
