//! The encoder of requests to an endpoint.

use std::io;
use std::io::IoSlice;
use std::ops::Range;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header::CONNECTION;
use http::header::CONTENT_LENGTH;
use http::header::HOST;
use http::header::TRANSFER_ENCODING;
use http::request;
use http_body::Body;
use tokio::io::AsyncWrite;

use crate::handler::BodyError;
use crate::http1::encode::LAST_CHUNK;
use crate::http1::encode::write_header;
use crate::http1::encode::write_integer;

/// The time left for the response, in milliseconds.
pub(super) const X_REQUEST_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-request-timeout-ms");
/// Maximum part of a body, in bytes, that is copied to share a TLS record with others.
const MAX_COPIED: usize = 4 * 1024;
/// Bytes that are buffered before a write.
const BATCH_BYTES: usize = 16 * 1024;

/// The encoder of one request. The first write contains the head and the available part of the
/// body.
pub(super) struct RequestEncoder {
    /// The next write: the batch, then the large part, then its end.
    batch: BytesMut,
    /// The part of the batch with the value of `x-request-timeout-ms` and the end of the head.
    head_end: Range<usize>,
    large: Bytes,
    end: &'static [u8],
    /// Bytes of the next write that are already written.
    written: usize,
    /// Batches written before this one.
    flushed: usize,
    framing: BodyFraming,
    awaits_body: bool,
}

/// The framing of the rest of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyFraming {
    Complete,
    /// `Content-Length`: this many bytes are outstanding.
    Exactly(u64),
    Chunks,
}

impl BodyFraming {
    fn length(self) -> u64 {
        match self {
            Self::Exactly(length) => length,
            Self::Complete | Self::Chunks => 0,
        }
    }
}

/// A failure to send a whole request.
#[derive(Debug)]
pub(super) enum SendFault {
    /// The client's body could not be read.
    Body(BodyError),
    /// The connection accepts no more bytes.
    Io,
}

impl RequestEncoder {
    /// Encodes the head but its end; the framing depends on whether the body's size is known.
    pub(super) fn new<B: Body>(head: &request::Parts, host: &HeaderValue, body: &B) -> Self {
        let framing = match body.size_hint().exact() {
            Some(0) => BodyFraming::Complete,
            _ if body.is_end_stream() => BodyFraming::Complete,
            Some(length) => BodyFraming::Exactly(length),
            None => BodyFraming::Chunks,
        };
        let mut batch = BytesMut::with_capacity(1024);
        write_head(&mut batch, head, host, framing);
        Self {
            head_end: batch.len()..batch.len(),
            batch,
            large: Bytes::new(),
            end: b"",
            written: 0,
            flushed: 0,
            framing,
            awaits_body: false,
        }
    }

    /// Whether all available bytes are sent, and the client has to send the rest of the body.
    pub(super) fn awaits_body(&self) -> bool {
        self.awaits_body
    }

    /// Starts an attempt from the first byte, with the time left for the response in milliseconds.
    /// Returns false if the first batch is no longer in memory.
    pub(super) fn start(&mut self, timeout_ms: u64) -> bool {
        if self.flushed > 0 {
            return false;
        }
        // The batch contains a part of the body after a failed attempt.
        let body = self.batch.get(self.head_end.end..).map(<[u8]>::to_vec);
        self.batch.truncate(self.head_end.start);
        write_integer(&mut self.batch, timeout_ms, 10);
        self.batch.extend_from_slice(b"\r\n\r\n");
        self.head_end.end = self.batch.len();
        self.batch.extend_from_slice(&body.unwrap_or_default());
        self.written = 0;
        true
    }

    /// Writes the available bytes of a started attempt. Ready when the whole request was passed to the kernel.
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
        self.awaits_body = false;
        // The first part of the body shares a write with the head.
        let mut waits = self.flushed == 0 && self.written == 0 && self.gather(cx, body)?;
        loop {
            while self.written < self.len() {
                let slices = self.slices();
                let count = ready!(to.as_mut().poll_write_vectored(cx, &slices)).map_err(closed)?;
                self.written += count;
            }
            if waits || self.framing == BodyFraming::Complete {
                // TLS buffers what the kernel did not accept.
                ready!(to.as_mut().poll_flush(cx)).map_err(closed)?;
                self.awaits_body = waits;
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
            self.flushed += 1;
            waits = self.gather(cx, body)?;
        }
    }

    fn len(&self) -> usize {
        self.batch.len() + self.large.len() + self.end.len()
    }

    /// The bytes that are not written yet.
    fn slices(&self) -> [IoSlice<'_>; 3] {
        let mut skip = self.written;
        [&self.batch[..], &self.large[..], self.end].map(|part| {
            let from = skip.min(part.len());
            skip -= from;
            IoSlice::new(part.get(from..).unwrap_or_default())
        })
    }

    /// Adds the available part of the body to the batch. Returns whether the body has to be waited
    /// for.
    fn gather<B>(&mut self, cx: &mut Context<'_>, body: &mut B) -> Result<bool, SendFault>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        while self.framing != BodyFraming::Complete
            && self.large.is_empty()
            && self.batch.len() < BATCH_BYTES
        {
            let frame = match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(Some(Err(error))) => return Err(SendFault::Body(error)),
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(None) => {
                    if let BodyFraming::Exactly(_) = self.framing {
                        return Err(SendFault::Body(BodyError::Malformed));
                    }
                    self.batch.extend_from_slice(LAST_CHUNK);
                    self.framing = BodyFraming::Complete;
                    return Ok(false);
                }
            };
            // Trailers are dropped, and an empty chunk would be the last one.
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                self.add(data, body.is_end_stream())?;
            }
        }
        Ok(false)
    }

    /// Adds a part of the body; `last` if it is known to be the last one.
    fn add(&mut self, data: Bytes, last: bool) -> Result<(), SendFault> {
        match self.framing {
            BodyFraming::Complete => return Ok(()),
            BodyFraming::Exactly(left) => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                let left = left.checked_sub(length);
                self.framing = match left.ok_or(SendFault::Body(BodyError::Malformed))? {
                    0 => BodyFraming::Complete,
                    left => BodyFraming::Exactly(left),
                };
            }
            BodyFraming::Chunks => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                write_integer(&mut self.batch, length, 16);
                self.batch.extend_from_slice(b"\r\n");
                self.end = if last { b"\r\n0\r\n\r\n" } else { b"\r\n" };
                if last {
                    self.framing = BodyFraming::Complete;
                }
            }
        }
        if data.len() > MAX_COPIED {
            self.large = data;
        } else {
            self.batch.extend_from_slice(&data);
            self.batch.extend_from_slice(std::mem::take(&mut self.end));
        }
        Ok(())
    }
}

/// Writes the head up to the value of its last field, the timeout.
fn write_head(to: &mut BytesMut, head: &request::Parts, host: &HeaderValue, framing: BodyFraming) {
    to.extend_from_slice(head.method.as_str().as_bytes());
    to.extend_from_slice(b" ");
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    to.extend_from_slice(target.as_bytes());
    to.extend_from_slice(b" HTTP/1.1\r\n");
    write_header(to, &HOST, host);
    for (name, value) in &head.headers {
        // The hop-by-hop fields of this connection replace the caller's.
        let local = matches!(
            *name,
            HOST | CONNECTION | CONTENT_LENGTH | TRANSFER_ENCODING
        );
        if !local && name != X_REQUEST_TIMEOUT_MS {
            write_header(to, name, value);
        }
    }
    let expects_body = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
    match framing {
        BodyFraming::Complete if !expects_body => {}
        BodyFraming::Chunks => to.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        BodyFraming::Complete | BodyFraming::Exactly(_) => {
            to.extend_from_slice(b"content-length: ");
            write_integer(to, framing.length(), 10);
            to.extend_from_slice(b"\r\n");
        }
    }
    to.extend_from_slice(X_REQUEST_TIMEOUT_MS.as_str().as_bytes());
    to.extend_from_slice(b": ");
}

/// The error is dropped: the endpoint may have sent a response, which decides.
fn closed(_: io::Error) -> SendFault {
    SendFault::Io
}

/// Encodes a whole request, for tests.
#[cfg(test)]
pub(crate) async fn encode<B>(head: &request::Parts, body: &mut B) -> Vec<u8>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    let host = HeaderValue::from_static("app.internal");
    let (mut encoder, mut to) = (RequestEncoder::new(head, &host, body), Vec::new());
    encoder.start(100);
    let sent = std::future::poll_fn(|cx| encoder.poll_send(cx, &mut to, body)).await;
    assert!(sent.is_ok());
    to
}
