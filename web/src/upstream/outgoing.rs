use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderName, HeaderValue, Method,
    header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    request,
};
use http_body::Body;
use tokio::io::AsyncWrite;

use crate::{
    body::BodyError,
    written::{LAST_CHUNK, line, number},
};

/// How long the app may take, in milliseconds: what is left of the limit for the whole.
pub(super) const X_REQUEST_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-request-timeout-ms");
/// Pieces of a body up to this are copied together, so that small ones share a TLS record.
const SMALL: usize = 4 * 1024;
/// So much is put together before it is written.
const BATCH: usize = 16 * 1024;

/// A request as bytes. The first write takes the head and what is there of the body.
pub(super) struct Outgoing {
    /// What is written next: this, the large piece, then its end.
    batch: BytesMut,
    large: Bytes,
    end: &'static [u8],
    /// So much of these was written.
    written: usize,
    /// Batches before this one.
    gone: usize,
    rest: Rest,
}

/// What is to come of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// So many bytes, as the head said.
    Exactly(u64),
    Chunks,
}

impl Rest {
    fn length(self) -> u64 {
        match self {
            Self::Exactly(length) => length,
            Self::Nothing | Self::Chunks => 0,
        }
    }
}

/// Why a request could not be sent to its end.
#[derive(Debug)]
pub(super) enum SendFault {
    /// The body did not come.
    Body(BodyError),
    /// The connection took no more.
    Io,
}

impl Outgoing {
    /// A request with the framing that its body has.
    pub(super) fn new<B: Body>(
        head: &request::Parts,
        host: &HeaderValue,
        body: &B,
        timeout_ms: u64,
    ) -> Self {
        let rest = match body.size_hint().exact() {
            Some(0) => Rest::Nothing,
            _ if body.is_end_stream() => Rest::Nothing,
            Some(length) => Rest::Exactly(length),
            None => Rest::Chunks,
        };
        let mut batch = BytesMut::with_capacity(1024);
        write_head(&mut batch, head, host, rest, timeout_ms);
        Self {
            batch,
            large: Bytes::new(),
            end: b"",
            written: 0,
            gone: 0,
            rest,
        }
    }

    /// Makes ready to be sent from the beginning, which is possible as long as the beginning is
    /// still there. The caller knows that nothing was sent.
    pub(super) fn rewind(&mut self) -> bool {
        self.written = 0;
        self.gone == 0
    }

    /// Writes what there is. Ready when all was handed to the system.
    pub(super) fn poll_send<W, B>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
        body: &mut B,
    ) -> Poll<Result<(), SendFault>>
    where
        W: AsyncWrite + Unpin,
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        let mut to = Pin::new(to);
        // What comes of the body at once goes with the head.
        let mut waits = self.gone == 0 && self.written == 0 && self.gather(cx, body)?;
        loop {
            while self.written < self.len() {
                let slices = self.slices();
                let count = ready!(to.as_mut().poll_write_vectored(cx, &slices)).map_err(closed)?;
                self.written += count;
            }
            if waits || self.rest == Rest::Nothing {
                // TLS keeps what the system did not take.
                ready!(to.as_mut().poll_flush(cx)).map_err(closed)?;
                return if waits {
                    Poll::Pending
                } else {
                    Poll::Ready(Ok(()))
                };
            }
            self.batch.clear();
            self.large = Bytes::new();
            self.end = b"";
            self.written = 0;
            self.gone += 1;
            waits = self.gather(cx, body)?;
        }
    }

    fn len(&self) -> usize {
        self.batch.len() + self.large.len() + self.end.len()
    }

    /// What is not yet written.
    fn slices(&self) -> [IoSlice<'_>; 3] {
        let mut skip = self.written;
        [&self.batch[..], &self.large[..], self.end].map(|part| {
            let from = skip.min(part.len());
            skip -= from;
            IoSlice::new(part.get(from..).unwrap_or_default())
        })
    }

    /// Adds what is there of the body to the batch, and tells whether more has to be waited for.
    fn gather<B>(&mut self, cx: &mut Context<'_>, body: &mut B) -> Result<bool, SendFault>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        while self.rest != Rest::Nothing && self.large.is_empty() && self.batch.len() < BATCH {
            let frame = match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(Some(Err(error))) => return Err(SendFault::Body(error)),
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(None) => {
                    if let Rest::Exactly(_) = self.rest {
                        return Err(SendFault::Body(BodyError::Malformed));
                    }
                    self.batch.extend_from_slice(LAST_CHUNK);
                    self.rest = Rest::Nothing;
                    return Ok(false);
                }
            };
            // Trailers are dropped, and a chunk of nothing would be the last one.
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                self.add(data, body.is_end_stream())?;
            }
        }
        Ok(false)
    }

    /// Adds a piece of the body; `last`, if it is known to be.
    fn add(&mut self, data: Bytes, last: bool) -> Result<(), SendFault> {
        match self.rest {
            Rest::Nothing => return Ok(()),
            Rest::Exactly(left) => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                let left = left.checked_sub(length);
                self.rest = match left.ok_or(SendFault::Body(BodyError::Malformed))? {
                    0 => Rest::Nothing,
                    left => Rest::Exactly(left),
                };
            }
            Rest::Chunks => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                number(&mut self.batch, length, 16);
                self.batch.extend_from_slice(b"\r\n");
                self.end = if last { b"\r\n0\r\n\r\n" } else { b"\r\n" };
                if last {
                    self.rest = Rest::Nothing;
                }
            }
        }
        if data.len() > SMALL {
            self.large = data;
        } else {
            self.batch.extend_from_slice(&data);
            self.batch.extend_from_slice(std::mem::take(&mut self.end));
        }
        Ok(())
    }
}

/// The one form of a head: what the caller chose, and ours.
fn write_head(
    to: &mut BytesMut,
    head: &request::Parts,
    host: &HeaderValue,
    rest: Rest,
    timeout_ms: u64,
) {
    to.extend_from_slice(head.method.as_str().as_bytes());
    to.extend_from_slice(b" ");
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    to.extend_from_slice(target.as_bytes());
    to.extend_from_slice(b" HTTP/1.1\r\n");
    line(to, &HOST, host);
    for (name, value) in &head.headers {
        // These are ours, whoever put one there.
        let ours = matches!(
            *name,
            HOST | CONNECTION | CONTENT_LENGTH | TRANSFER_ENCODING
        );
        if !ours && name != X_REQUEST_TIMEOUT_MS {
            line(to, name, value);
        }
    }
    to.extend_from_slice(X_REQUEST_TIMEOUT_MS.as_str().as_bytes());
    to.extend_from_slice(b": ");
    number(to, timeout_ms, 10);
    let expects_body = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
    match rest {
        Rest::Nothing if !expects_body => {}
        Rest::Chunks => to.extend_from_slice(b"\r\ntransfer-encoding: chunked"),
        Rest::Nothing | Rest::Exactly(_) => {
            to.extend_from_slice(b"\r\ncontent-length: ");
            number(to, rest.length(), 10);
        }
    }
    to.extend_from_slice(b"\r\n\r\n");
}

/// Why the connection took no more does not matter: the app may tell.
fn closed(_: io::Error) -> SendFault {
    SendFault::Io
}

/// A request as it goes out, for tests.
#[cfg(test)]
pub(crate) async fn emitted<B>(head: &request::Parts, body: &mut B) -> Vec<u8>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    let host = HeaderValue::from_static("app.internal");
    let (mut outgoing, mut to) = (Outgoing::new(head, &host, body, 100), Vec::new());
    let sent = std::future::poll_fn(|cx| outgoing.poll_send(cx, &mut to, body)).await;
    assert!(sent.is_ok());
    to
}
