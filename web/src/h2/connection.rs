//! An HTTP/2 connection of a client, from its preface to its end.

use std::future::Future;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::stream::Stream;
use h2::Reason;
use h2::RecvStream;
use h2::server;
use h2::server::Builder;
use h2::server::SendResponse;
use http::Request;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use super::stream::StreamContext;
use super::write_buffer::WriteBuffer;
use crate::handler::RequestHandler;
use crate::limits::Limits;
use crate::timer::Timer;

/// Time between GOAWAY and the forced close of a connection.
const GRACEFUL_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves the streams of a connection until it ends. Once `shutdown` is cancelled, open streams are
/// completed and further ones are refused.
pub(crate) async fn serve<S, H>(
    stream: S,
    address: SocketAddr,
    handler: &H,
    shutdown: &CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    H: RequestHandler,
{
    let limits = handler.limits();
    let buffer = WriteBuffer::new(stream);
    let first_request_by = Instant::now() + limits.first_request_timeout;
    let handshake = handshake(&buffer, limits);
    let Ok(Some(h2)) = timeout_at(first_request_by, handshake).await else {
        return;
    };
    let context = StreamContext {
        handler,
        address,
        buffer: &buffer,
    };
    let mut connection = Connection {
        h2,
        context,
        limits,
        streams: FuturesUnordered::new(),
        idle_by: first_request_by,
        close_by: None,
        timer: Timer::new(first_request_by),
    };
    let mut shutting_down = pin!(shutdown.cancelled());
    let mut closing = false;
    poll_fn(|cx| {
        if !closing && shutting_down.as_mut().poll(cx).is_ready() {
            closing = true;
            connection.h2.graceful_shutdown();
        }
        connection.poll(cx)
    })
    .await;
    drop(connection);
    buffer.close(limits).await;
}

/// Exchanges the connection prefaces (RFC 9113, 3.4).
async fn handshake<S>(
    buffer: &WriteBuffer<S>,
    limits: &Limits,
) -> Option<server::Connection<WriteBuffer<S>, Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let http2 = &limits.http2;
    let mut handshake = Builder::new()
        .max_concurrent_streams(http2.max_streams)
        .max_header_list_size(limits.max_header_bytes)
        .initial_window_size(http2.stream_window)
        .initial_connection_window_size(http2.connection_window)
        .max_frame_size(http2.max_frame_bytes)
        .max_send_buffer_size(http2.max_unsent_bytes)
        .max_pending_accept_reset_streams(http2.max_pending_resets)
        .max_local_error_reset_streams(Some(http2.max_local_resets))
        .handshake(buffer.handle());
    poll_fn(|cx| {
        let polled = Pin::new(&mut handshake).poll(cx);
        // The next read reports the error.
        let _ = buffer.poll_send(cx);
        polled
    })
    .await
    .ok()
}

type StreamTask<'c> = Pin<Box<dyn Future<Output = ()> + Send + 'c>>;

struct Connection<'c, S, H> {
    h2: server::Connection<WriteBuffer<S>, Bytes>,
    context: StreamContext<'c, S, H>,
    limits: &'c Limits,
    /// The open streams, polled in the connection's task: streams that become ready together cause
    /// one wake-up, and their responses one write.
    streams: FuturesUnordered<StreamTask<'c>>,
    /// Deadline of the next request, while no stream is open.
    idle_by: Instant,
    /// Deadline of the graceful close of an idle connection.
    close_by: Option<Instant>,
    timer: Timer,
}

impl<S, H> Connection<'_, S, H>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    H: RequestHandler,
{
    /// Ready when the connection has ended or must be closed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.poll_streams(cx);
            let accepted = self.poll_accept(cx);
            if accepted == Poll::Ready(false) {
                return Poll::Ready(());
            }
            // Before the new streams are polled, which may have arrived together with the error.
            if let Some(error) = self.context.buffer.error() {
                self.h2.abrupt_shutdown(error);
                // Writes GOAWAY, unless the client does not read.
                let _ = self.h2.poll_closed(cx);
                return Poll::Ready(());
            }
            if accepted.is_pending() {
                break;
            }
        }
        // The next read reports the error.
        let _ = self.context.buffer.poll_send(cx);
        self.poll_deadline(cx)
    }

    /// Polls the open streams.
    fn poll_streams(&mut self, cx: &mut Context<'_>) {
        let mut ended = false;
        while let Poll::Ready(Some(())) = Pin::new(&mut self.streams).poll_next(cx) {
            ended = true;
        }
        if ended && self.streams.is_empty() {
            self.idle_by = Instant::now() + self.limits.keep_alive_timeout;
        }
    }

    /// Reads and writes frames. Ready with true if a stream was opened, and with false if the
    /// connection has ended.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut opened = false;
        loop {
            match self.h2.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.open(request, respond);
                    opened = true;
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(%error, "connection ended");
                    return Poll::Ready(false);
                }
                Poll::Ready(None) => return Poll::Ready(false),
                Poll::Pending if opened => return Poll::Ready(true),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn open(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let context = self.context;
        let Some(permit) = context.handler.admit_stream(context.address) else {
            // The client may safely retry the request (RFC 9113, 8.7).
            respond.send_reset(Reason::REFUSED_STREAM);
            return context.buffer.on_refused_stream();
        };
        let stream = context.serve(request, respond, permit);
        self.streams.push(Box::pin(stream));
    }

    /// Ready when the client has been idle or has not read for too long.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let reading = self.context.buffer.deadline(self.limits);
            // Requests that the client sent before it received GOAWAY are completed.
            let idle_by = self.close_by.unwrap_or(self.idle_by);
            let idle = self.streams.is_empty().then_some(idle_by);
            let Some(deadline) = reading.into_iter().chain(idle).min() else {
                return Poll::Pending;
            };
            if self.timer.poll(cx, deadline).is_pending() {
                return Poll::Pending;
            }
            if reading == Some(deadline) || self.close_by.is_some() {
                return Poll::Ready(());
            }
            // Idle: sends GOAWAY, and leaves time for it to arrive.
            self.close_by = Some(Instant::now() + GRACEFUL_CLOSE_TIMEOUT);
            self.h2.graceful_shutdown();
            cx.waker().wake_by_ref();
        }
    }
}
