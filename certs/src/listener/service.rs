use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::{http1, http2},
    service::{HttpService, service_fn},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{self, Instant, Sleep},
};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::{
    Conversation, Established, Limits, PeerAddress, Protocol,
    activity::{Activity, Expiry, Tracked},
    in_task::{Exchanges, InTask},
    wire::Wire,
};

/// How long a connection that was asked to end may take to do so.
const FAREWELL: Duration = Duration::from_secs(2);

/// HTTP/1.1 and HTTP/2 for a service. It finds the [`PeerAddress`] in a request's extensions, and
/// on a mutual connection the [`PeerIdentity`](crate::PeerIdentity). The streams of one connection
/// are answered in one task.
#[derive(Clone, Copy, Debug)]
pub struct Http<S>(pub S);

impl<I, S, B> Conversation<I> for Http<S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    async fn hold(
        &self,
        established: Established<I>,
        limits: &Limits,
        shutdown: &CancellationToken,
    ) {
        let Established {
            stream,
            protocol,
            peer,
            address,
        } = established;
        let activity = Activity::new(protocol);
        let wire = Wire::new(stream, Arc::clone(&activity));
        let mut driver = Driver {
            wire: wire.other(),
            activity: Arc::clone(&activity),
            limits,
            exchanges: Exchanges::default(),
            alarm: Box::pin(time::sleep_until(activity.expires(limits).0)),
            farewell: None,
        };
        let service = self.0.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let in_flight = activity.request();
            request.extensions_mut().insert(PeerAddress(address));
            if let Some(peer) = &peer {
                request.extensions_mut().insert(peer.clone());
            }
            let answer = service.clone().oneshot(request);
            async move {
                let response = answer.await?;
                Ok::<_, Infallible>(response.map(|body| Tracked { body, in_flight }))
            }
        });
        let wire = TokioIo::new(wire);
        let ended = match protocol {
            Protocol::Http1 => {
                let connection = http1_builder(limits).serve_connection(wire, service);
                driver.run(connection, shutdown).await
            }
            Protocol::Http2 => {
                let builder = http2_builder(limits, driver.exchanges.executor());
                let connection = builder.serve_connection(wire, service);
                driver.run(connection, shutdown).await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
        let wire = driver.wire.other();
        drop(driver);
        send_the_rest(wire).await;
    }
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // The head's time limit is ours (see `Activity`): hyper's would also end idle connections.
    // The library's least buffer is 8 KiB; heads longer than the limit get 431.
    builder.max_buf_size(
        usize::try_from(limits.header_bytes)
            .unwrap_or(usize::MAX)
            .max(8192),
    );
    builder
}

fn http2_builder(limits: &Limits, executor: InTask) -> http2::Builder<InTask> {
    let mut builder = http2::Builder::new(executor);
    builder
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_frame_size(limits.frame_bytes)
        .max_send_buf_size(64 * 1024)
        .max_pending_accept_reset_streams(limits.resets)
        .max_local_error_reset_streams(limits.own_resets);
    builder
}

/// A connection that can be asked to end after what is in flight.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn begin_shutdown(self: Pin<&mut Self>);
}

impl<I, S, B> Graceful for http1::Connection<I, S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn begin_shutdown(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B> Graceful for http2::Connection<I, S, InTask>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn begin_shutdown(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs a connection until it ends, runs out of something, or is asked to shut down.
struct Driver<'a, I> {
    wire: Wire<I>,
    activity: Arc<Activity>,
    limits: &'a Limits,
    exchanges: Exchanges,
    alarm: Pin<Box<Sleep>>,
    /// When it will have had its time, once it was asked to end.
    farewell: Option<Instant>,
}

impl<I: AsyncWrite + Unpin> Driver<'_, I> {
    async fn run(
        &mut self,
        connection: impl Graceful,
        shutdown: &CancellationToken,
    ) -> hyper::Result<()> {
        let mut connection = pin!(connection);
        let mut asked = pin!(shutdown.cancelled());
        let mut ending = false;
        poll_fn(|cx| {
            if !ending && asked.as_mut().poll(cx).is_ready() {
                ending = true;
                connection.as_mut().begin_shutdown();
            }
            loop {
                if let Poll::Ready(ended) = self.poll_exchange(connection.as_mut(), cx) {
                    return Poll::Ready(ended);
                }
                match self.poll_expiry(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Expiry::Stuck) => return Poll::Ready(Ok(())),
                    Poll::Ready(Expiry::Idle) => {
                        self.farewell = Some(Instant::now() + FAREWELL);
                        connection.as_mut().begin_shutdown();
                    }
                }
            }
        })
        .await
    }

    /// Lets the streams go on, and the connection read and write, then sends it all in one go.
    fn poll_exchange(
        &mut self,
        mut connection: Pin<&mut impl Graceful>,
        cx: &mut Context<'_>,
    ) -> Poll<hyper::Result<()>> {
        loop {
            self.exchanges.poll(cx);
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            if !self.exchanges.has_new() {
                break;
            }
        }
        // An error shows at the next read, where HTTP looks for it.
        let _ = self.wire.poll_drain(cx);
        Poll::Pending
    }

    /// Ready when the connection has run out of something.
    fn poll_expiry(&mut self, cx: &mut Context<'_>) -> Poll<Expiry> {
        loop {
            let (expires, expiry) = self.activity.expires(self.limits);
            let due = self.farewell.unwrap_or(expires);
            // Later moments are left to the alarm that is set: it looks again when it rings.
            if due < self.alarm.deadline() {
                self.alarm.as_mut().reset(due);
            }
            if self.alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= due {
                let over = self.farewell.is_some();
                return Poll::Ready(if over { Expiry::Stuck } else { expiry });
            }
            self.alarm.as_mut().reset(due);
        }
    }
}

/// Sends what was said last, such as GOAWAY or why the connection ends.
async fn send_the_rest<I: AsyncWrite + Unpin>(wire: Wire<I>) {
    // Who does not take it does not get it.
    let _ = time::timeout(FAREWELL, poll_fn(|cx| wire.poll_drain(cx))).await;
}
