//! An HTTP/1.1 connection of a client, from its first request to its end.

use std::future::Future;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Buf;
use bytes::BytesMut;
use http::Method;
use http::Response;
use http::StatusCode;
use http_body::Body;
use listener::ThroughputGuard;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::buffered_stream::BufferedStream;
use super::coalesced_close::CoalescedClose;
use super::encode::LAST_CHUNK;
use super::head;
use super::head::Head;
use super::request_body::IncomingBody;
use super::response_head;
use super::response_head::Framing;
use crate::handler::CloseConnection;
use crate::handler::RequestHandler;
use crate::limits::Limits;
use crate::problem::Problem;
use crate::timer::Timer;

/// Response bytes that are buffered before a write: one TLS record.
const WRITE_BYTES: usize = 16 * 1024;

/// The end of a connection that is not after a response.
#[derive(Debug)]
enum Closed {
    /// There is no further request, or the response cannot be completed.
    Ended,
    /// The client reads its response too slowly.
    TooSlow,
}

/// Serves the requests of a connection until it ends. Once `shutdown` is cancelled, no further
/// request is accepted.
pub(crate) async fn serve<S, H>(
    stream: S,
    address: SocketAddr,
    handler: &H,
    shutdown: &CancellationToken,
) where
    S: AsyncRead + AsyncWrite + CoalescedClose + Unpin + Send,
    H: RequestHandler,
{
    let limits = handler.limits();
    let mut connection = Connection {
        stream: BufferedStream {
            io: stream,
            inbox: BytesMut::new(),
            max_header_bytes: usize::try_from(limits.max_header_bytes).unwrap_or(usize::MAX),
        },
        outbox: BytesMut::new(),
        timer: Timer::new(Instant::now() + limits.first_request_timeout),
        address,
        limits,
    };
    let closed = connection.serve_all(handler, shutdown).await;
    if matches!(closed, Err(Closed::TooSlow)) {
        // Dropping the stream discards what the client has not read.
        return;
    }
    connection.close().await;
    if let Ok(CloseReason::Unread) = closed {
        connection.linger().await;
    }
}

/// The reason why a connection ends after a response.
enum CloseReason {
    /// The request and the response are complete.
    Complete,
    /// The client may still be sending a body that is not read.
    Unread,
}

struct Connection<'l, S> {
    stream: BufferedStream<S>,
    outbox: BytesMut,
    timer: Timer,
    address: SocketAddr,
    limits: &'l Limits,
}

impl<S: AsyncRead + AsyncWrite + CoalescedClose + Unpin + Send> Connection<'_, S> {
    async fn serve_all<H: RequestHandler>(
        &mut self,
        handler: &H,
        shutdown: &CancellationToken,
    ) -> Result<CloseReason, Closed> {
        let mut shutting_down = pin!(shutdown.cancelled());
        let mut wait = self.limits.first_request_timeout;
        loop {
            let head = match self.next_head(wait, shutting_down.as_mut()).await? {
                Ok(head) => head,
                Err(problem) => {
                    let response = handler.reject(problem, self.address.ip());
                    self.send(response, false, false).await?;
                    return Ok(CloseReason::Unread);
                }
            };
            wait = self.limits.keep_alive_timeout;
            let to_head = head.parts.method == Method::HEAD;
            let is_tunnel = head.parts.method == Method::CONNECT;
            let mut body = IncomingBody::new(&mut self.stream, &head);
            let response = handler.handle(head.parts, &mut body, self.address).await;
            let closes = is_tunnel || response.extensions().get::<CloseConnection>().is_some();
            let complete = body.is_complete() && !closes;
            // `Connection: close` while draining moves clients to another instance.
            let serving = !shutdown.is_cancelled() && !handler.is_draining();
            let persistent = head.persistent && complete && serving;
            self.send(response, to_head, persistent).await?;
            if !complete || (!persistent && !self.stream.inbox.is_empty()) {
                return Ok(CloseReason::Unread);
            }
            if !persistent {
                return Ok(CloseReason::Complete);
            }
        }
    }

    /// Reads the next request's head, or returns the problem of a malformed one.
    ///
    /// # Errors
    /// [`Closed`], if there is no further request, or the shutdown begins before one.
    async fn next_head(
        &mut self,
        wait: Duration,
        mut shutting_down: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Result<Head, Problem>, Closed> {
        let waited = Instant::now();
        let mut begun = head::has_begun(&self.stream.inbox).then_some(waited);
        poll_fn(|cx| {
            loop {
                match head::take(&mut self.stream.inbox, self.stream.max_header_bytes) {
                    Ok(None) => {}
                    Ok(Some(head)) => return Poll::Ready(Ok(Ok(head))),
                    Err(problem) => return Poll::Ready(Ok(Err(problem))),
                }
                if let Poll::Ready(read) = self.stream.poll_fill(cx) {
                    match read {
                        Ok(0) | Err(_) => return Poll::Ready(Err(Closed::Ended)),
                        Ok(_) => {}
                    }
                    if head::has_begun(&self.stream.inbox) {
                        begun.get_or_insert_with(Instant::now);
                    }
                    continue;
                }
                let deadline = match begun {
                    None if shutting_down.as_mut().poll(cx).is_ready() => {
                        return Poll::Ready(Err(Closed::Ended));
                    }
                    None => waited + wait,
                    Some(begun) => begun + self.limits.header_timeout,
                };
                ready!(self.timer.poll(cx, deadline));
                return Poll::Ready(match begun {
                    None => Err(Closed::Ended),
                    Some(_) => Ok(Err(Problem::new(
                        StatusCode::REQUEST_TIMEOUT,
                        "the head of the request was sent too slowly",
                    ))),
                });
            }
        })
        .await
    }

    /// Sends a response; its body is sent as it arrives.
    async fn send<B>(
        &mut self,
        response: Response<B>,
        to_head: bool,
        persistent: bool,
    ) -> Result<(), Closed>
    where
        B: Body<Data = bytes::Bytes> + Unpin,
    {
        let (head, mut body) = response.into_parts();
        let framing = Framing::of(head.status, to_head, body.size_hint().exact());
        let deadline = Instant::now() + self.limits.response_timeout;
        response_head::write_head(&mut self.outbox, &head, framing, persistent);
        if to_head || framing == Framing::Bodiless {
            return self.finish(persistent, deadline).await;
        }
        loop {
            let nothing_to_send = self.outbox.is_empty();
            let next = poll_fn(|cx| match Pin::new(&mut body).poll_frame(cx) {
                Poll::Ready(next) => Poll::Ready(Some(next)),
                // Buffered data is sent while the body has no more.
                Poll::Pending if !nothing_to_send => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            match next.await {
                None => self.flush(deadline).await?,
                Some(None) => break,
                // After the head, truncating the response is the only way to report an error.
                Some(Some(Err(_))) => return self.flush(deadline).await.and(Err(Closed::Ended)),
                Some(Some(Ok(frame))) => {
                    let data = frame.into_data().unwrap_or_default();
                    if framing == Framing::Chunked {
                        response_head::write_chunk(&mut self.outbox, &data);
                    } else {
                        self.outbox.extend_from_slice(&data);
                    }
                    if self.outbox.len() >= WRITE_BYTES {
                        self.flush(deadline).await?;
                    }
                }
            }
        }
        if framing == Framing::Chunked {
            self.outbox.extend_from_slice(LAST_CHUNK);
        }
        self.finish(persistent, deadline).await
    }

    /// Sends the end of a response; the last response ends together with `close_notify`.
    async fn finish(&mut self, persistent: bool, deadline: Instant) -> Result<(), Closed> {
        if !persistent && self.stream.io.write_final(&self.outbox) {
            self.outbox.clear();
        }
        self.flush(deadline).await
    }

    /// Sends the buffered bytes.
    ///
    /// # Errors
    /// [`Closed`], if the client has disconnected or reads too slowly.
    async fn flush(&mut self, deadline: Instant) -> Result<(), Closed> {
        let mut guard: Option<ThroughputGuard> = None;
        let Self {
            stream,
            outbox,
            timer,
            limits,
            ..
        } = self;
        let mut poll_stalled = |guard: &mut Option<ThroughputGuard>, cx: &mut Context<'_>| {
            let guard = guard.get_or_insert_with(|| ThroughputGuard::start(Instant::now()));
            let stalled = guard.deadline(limits.read_timeout, limits.min_bytes_per_second);
            let due = stalled.min(deadline);
            timer.poll(cx, due).map(|()| Err(Closed::TooSlow))
        };
        poll_fn(|cx| {
            while !outbox.is_empty() {
                match Pin::new(&mut stream.io).poll_write(cx, outbox) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Closed::Ended)),
                    Poll::Ready(Ok(written)) => {
                        outbox.advance(written);
                        if let Some(guard) = &mut guard {
                            guard.on_progress(Instant::now(), written);
                        }
                    }
                    Poll::Pending => return poll_stalled(&mut guard, cx),
                }
            }
            match Pin::new(&mut stream.io).poll_flush(cx) {
                Poll::Ready(flushed) => Poll::Ready(flushed.map_err(|_closed| Closed::Ended)),
                Poll::Pending => poll_stalled(&mut guard, cx),
            }
        })
        .await?;
        // The buffer is reused for the next response, unless it grew beyond its usual size.
        if outbox.capacity() > 2 * WRITE_BYTES {
            *outbox = BytesMut::new();
        }
        outbox.clear();
        Ok(())
    }

    /// Discards some more of an unread body. A client that still sends when its connection is
    /// closed gets a TCP reset, and may never see the response.
    async fn linger(&mut self) {
        let Self { stream, limits, .. } = self;
        let mut read = stream.inbox.len();
        let enough = poll_fn(|cx| {
            while read < limits.linger_bytes {
                stream.inbox.clear();
                match ready!(stream.poll_fill(cx)) {
                    Ok(0) | Err(_) => break,
                    Ok(more) => read += more,
                }
            }
            Poll::Ready(())
        });
        // At the timeout a slow client has had the time to read the response.
        let _ = timeout(limits.linger_timeout, enough).await;
    }

    /// Sends `close_notify`, with which the client can distinguish the end from a truncation, and
    /// waits until the client has read what was sent.
    async fn close(&mut self) {
        // Fails earlier if the client reads too slowly.
        let _ = timeout(self.limits.response_timeout, self.stream.io.shutdown()).await;
    }
}
