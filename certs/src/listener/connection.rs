use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::{http1, http2},
    service::{HttpService, service_fn},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::{
    Established, Limits, PeerAddress, Protocol,
    activity::{Activity, Expiry, Tracked, Watched},
};

/// How long a connection that was asked to end may take to do so.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves one connection to its end.
pub(super) async fn serve<I, S, B>(
    established: Established<I>,
    address: PeerAddress,
    service: S,
    limits: &Limits,
    shutdown: &CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Established {
        stream,
        protocol,
        peer,
    } = established;
    let activity = Activity::new(protocol);
    let stream = TokioIo::new(Watched {
        stream,
        activity: Arc::clone(&activity),
    });
    let counted = Arc::clone(&activity);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let in_flight = counted.request();
        request.extensions_mut().insert(address);
        if let Some(peer) = &peer {
            request.extensions_mut().insert(peer.clone());
        }
        let answer = service.clone().oneshot(request);
        async move {
            let response = answer.await?;
            Ok::<_, Infallible>(response.map(|body| Tracked { body, in_flight }))
        }
    });
    let ended = match protocol {
        Protocol::Http1 => {
            let connection = http1_builder(limits).serve_connection(stream, service);
            drive(connection, &activity, limits, shutdown).await
        }
        Protocol::Http2 => {
            let connection = http2_builder(limits).serve_connection(stream, service);
            drive(connection, &activity, limits, shutdown).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
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

fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_frame_size(16 * 1024)
        .max_send_buf_size(64 * 1024)
        // Rapid reset (CVE-2023-44487): more resets than this that nobody waits for end it.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(64);
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

impl<I, S, B> Graceful for http2::Connection<I, S, TokioExecutor>
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
async fn drive(
    connection: impl Graceful,
    activity: &Activity,
    limits: &Limits,
    shutdown: &CancellationToken,
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    let mut asked = pin!(shutdown.cancelled());
    let mut alarm = pin!(time::sleep_until(activity.expires(limits).0));
    let mut ending = false;
    let mut farewell: Option<Instant> = None;
    poll_fn(|cx| {
        if !ending && asked.as_mut().poll(cx).is_ready() {
            ending = true;
            connection.as_mut().begin_shutdown();
        }
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            let (expires, expiry) = activity.expires(limits);
            let due = farewell.unwrap_or(expires);
            // Later moments are left to the alarm that is set: it looks again when it rings.
            if due < alarm.deadline() {
                alarm.as_mut().reset(due);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() < due {
                alarm.as_mut().reset(due);
                continue;
            }
            if expiry == Expiry::Stuck || farewell.is_some() {
                return Poll::Ready(Ok(()));
            }
            farewell = Some(Instant::now() + FAREWELL);
            connection.as_mut().begin_shutdown();
        }
    })
    .await
}
