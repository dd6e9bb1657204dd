use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{
    app::Lease,
    framing::{Framing, FramingError},
    wire::Wire,
};
use crate::chunked::Piece;

/// Why an answer's body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// The connection to the app was lost.
    #[error("the answer broke off: {0}")]
    Lost(#[source] io::Error),
    /// What the app sent can't be read.
    #[error(transparent)]
    Malformed(#[from] FramingError),
    /// The app fell silent.
    #[error("the app fell silent in the midst of an answer")]
    Silent,
}

/// An answer's body, as it comes from the app.
///
/// Gives its connection back as soon as the last byte is read. Dropped before, it closes it: what
/// would still come belongs to no other request.
#[derive(Debug)]
pub(crate) struct AnswerBody(Source);

#[derive(Debug)]
enum Source {
    /// All of it is here, and the connection was given back.
    Whole(Bytes),
    Coming(Coming),
}

/// A body of which not all is here yet.
#[derive(Debug)]
struct Coming {
    lease: Lease,
    wire: Box<Wire>,
    framing: Framing,
    /// The connection is good for another request.
    keeps: bool,
}

impl AnswerBody {
    pub(super) fn new(lease: Lease, wire: Box<Wire>, framing: Framing, keeps: bool) -> Self {
        wire.watch.off();
        let mut coming = Coming {
            lease,
            wire,
            framing,
            keeps,
        };
        // A short answer came with its head: its connection can serve the next request at once.
        if let Framing::Length(length) = coming.framing
            && usize::try_from(length).is_ok_and(|length| length <= coming.wire.inbox.len())
            && let Ok(piece) = coming.framing.decode(&mut coming.wire.inbox)
        {
            let data = match piece {
                Piece::Data(data) => data,
                Piece::More | Piece::End => Bytes::new(),
            };
            coming.release();
            return Self(Source::Whole(data));
        }
        Self(Source::Coming(coming))
    }
}

impl Coming {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, AnswerError>> {
        loop {
            match self.framing.decode(&mut self.wire.inbox)? {
                Piece::Data(data) => return Poll::Ready(Ok(Some(data))),
                Piece::End => return Poll::Ready(Ok(None)),
                Piece::More => {}
            }
            match self.wire.poll_fill(cx) {
                Poll::Ready(received) => {
                    self.wire.watch.off();
                    match received {
                        Ok(1..) => {}
                        Ok(0) if matches!(self.framing, Framing::UntilClose) => {
                            return Poll::Ready(Ok(None));
                        }
                        Ok(0) => {
                            let error = io::ErrorKind::UnexpectedEof.into();
                            return Poll::Ready(Err(AnswerError::Lost(error)));
                        }
                        Err(error) => return Poll::Ready(Err(AnswerError::Lost(error))),
                    }
                }
                Poll::Pending => {
                    // Only while it is waited for: a slow client is not the app's fault.
                    let watch = &self.wire.watch;
                    if !watch.is_set() {
                        watch.set(self.lease.stalls_at());
                    }
                    if watch.rings(cx) {
                        return Poll::Ready(Err(AnswerError::Silent));
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Ends the exchange after its last byte.
    fn release(self) {
        if self.keeps && self.wire.inbox.is_empty() {
            self.lease.give_back(self.wire);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let coming = match &mut self.0 {
            Source::Whole(data) if data.is_empty() => return Poll::Ready(None),
            Source::Whole(data) => {
                return Poll::Ready(Some(Ok(Frame::data(std::mem::take(data)))));
            }
            Source::Coming(coming) => coming,
        };
        let Poll::Ready(polled) = coming.poll(cx) else {
            return Poll::Pending;
        };
        let over = coming.framing.is_over() || !matches!(polled, Ok(Some(_)));
        if over
            && let Source::Coming(coming) =
                std::mem::replace(&mut self.0, Source::Whole(Bytes::new()))
            && polled.is_ok()
        {
            coming.release();
        }
        Poll::Ready(polled.transpose().map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Source::Whole(data) if data.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Whole(data) => {
                SizeHint::with_exact(u64::try_from(data.len()).unwrap_or(u64::MAX))
            }
            Source::Coming(Coming {
                framing: Framing::Length(left),
                ..
            }) => SizeHint::with_exact(*left),
            Source::Coming(_) => SizeHint::default(),
        }
    }
}
