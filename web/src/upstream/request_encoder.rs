//! Requests, as they are written to an endpoint.

use std::io;
use std::io::IoSlice;
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
/// Parts of a body up to this size, in bytes, are copied together to share a TLS record.
const MAX_COPIED: usize = 4 * 1024;
/// Bytes that are collected before a write.
const BATCH_BYTES: usize = 16 * 1024;

/// Encodes a request. The first write contains the head and what is there of the body.
pub(super) struct RequestEncoder {
    /// What is written next: this, the large part, then its end.
    batch: BytesMut,
    large: Bytes,
    end: &'static [u8],
    /// Bytes of these that were written.
    written: usize,
    /// Batches before this one.
    flushed: usize,
    framing: BodyFraming,
}

/// The framing of the rest of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyFraming {
    Complete,
    /// As many bytes, as the head says.
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

/// Why a request could not be sent completely.
#[derive(Debug)]
pub(super) enum SendFault {
    /// The body failed.
    Body(BodyError),
    /// The connection accepted no more.
    Io,
}

impl RequestEncoder {
    /// Encodes a request, framed as its body's size allows.
    pub(super) fn new<B: Body>(
        head: &request::Parts,
        host: &HeaderValue,
        body: &B,
        timeout_ms: u64,
    ) -> Self {
        let framing = match body.size_hint().exact() {
            Some(0) => BodyFraming::Complete,
            _ if body.is_end_stream() => BodyFraming::Complete,
            Some(length) => BodyFraming::Exactly(length),
            None => BodyFraming::Chunks,
        };
        let mut batch = BytesMut::with_capacity(1024);
        write_head(&mut batch, head, host, framing, timeout_ms);
        Self {
            batch,
            large: Bytes::new(),
            end: b"",
            written: 0,
            flushed: 0,
            framing,
        }
    }

    /// Starts again from the beginning, if that is still in memory. The caller knows that nothing was
    /// sent.
    pub(super) fn rewind(&mut self) -> bool {
        self.written = 0;
        self.flushed == 0
    }

    /// Writes what is there. Ready when all was handed to the kernel.
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

    /// What is not written yet.
    fn slices(&self) -> [IoSlice<'_>; 3] {
        let mut skip = self.written;
        [&self.batch[..], &self.large[..], self.end].map(|part| {
            let from = skip.min(part.len());
            skip -= from;
            IoSlice::new(part.get(from..).unwrap_or_default())
        })
    }

    /// Adds what is there of the body to the batch. True if more has to be waited for.
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

    /// Adds a part of the body, which is `last` if it is known to be.
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

/// Writes the head: the caller's fields, and those of this hop.
fn write_head(
    to: &mut BytesMut,
    head: &request::Parts,
    host: &HeaderValue,
    framing: BodyFraming,
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
    write_header(to, &HOST, host);
    for (name, value) in &head.headers {
        // Fields of this hop replace those of the same name.
        let local = matches!(
            *name,
            HOST | CONNECTION | CONTENT_LENGTH | TRANSFER_ENCODING
        );
        if !local && name != X_REQUEST_TIMEOUT_MS {
            write_header(to, name, value);
        }
    }
    to.extend_from_slice(X_REQUEST_TIMEOUT_MS.as_str().as_bytes());
    to.extend_from_slice(b": ");
    write_integer(to, timeout_ms, 10);
    let expects_body = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
    match framing {
        BodyFraming::Complete if !expects_body => {}
        BodyFraming::Chunks => to.extend_from_slice(b"\r\ntransfer-encoding: chunked"),
        BodyFraming::Complete | BodyFraming::Exactly(_) => {
            to.extend_from_slice(b"\r\ncontent-length: ");
            write_integer(to, framing.length(), 10);
        }
    }
    to.extend_from_slice(b"\r\n\r\n");
}

/// Why the connection accepted no more does not matter: the app may have sent a response.
fn closed(_: io::Error) -> SendFault {
    SendFault::Io
}

/// The bytes of a request, for tests.
#[cfg(test)]
pub(crate) async fn encode<B>(head: &request::Parts, body: &mut B) -> Vec<u8>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    let host = HeaderValue::from_static("app.internal");
    let (mut encoder, mut to) = (RequestEncoder::new(head, &host, body, 100), Vec::new());
    let sent = std::future::poll_fn(|cx| encoder.poll_send(cx, &mut to, body)).await;
    assert!(sent.is_ok());
    to
}
