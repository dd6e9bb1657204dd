//! HTTP/1.1 for a `tower` service: hyper, with the timeouts that hyper does not have.

use std::convert::Infallible;
use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use http::Request;
use http::Response;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tower::ServiceExt;

use super::ConnectionHandler;
use super::Established;
use super::Limits;
use super::PeerAddress;
use super::activity::Activity;
use super::activity::Expiry;
use super::activity::ObservedStream;
use super::activity::TrackedBody;

/// Time between the graceful close of an idle connection and its forced close.
const GRACEFUL_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The minimum buffer size that hyper accepts, in bytes; a head longer than the buffer gets 431.
const MIN_BUFFER: usize = 8192;

/// A handler that serves HTTP/1.1 with a `tower` service. A request's extensions hold the
/// [`PeerAddress`] and, on a mutual connection, the [`PeerIdentity`](certs::PeerIdentity).
#[derive(Clone, Copy, Debug)]
pub struct Http1<S>(pub S);

impl<I, S, B> ConnectionHandler<I> for Http1<S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    async fn handle(
        &self,
        established: Established<I>,
        limits: &Limits,
        shutdown: &CancellationToken,
    ) {
        let Established {
            stream,
            peer,
            address,
            ..
        } = established;
        let activity = Activity::new();
        let stream = ObservedStream {
            stream,
            activity: Arc::clone(&activity),
        };
        let requests = Arc::clone(&activity);
        let service = service_fn(|mut request: Request<Incoming>| {
            let in_flight = requests.request();
            request.extensions_mut().insert(PeerAddress(address));
            if let Some(peer) = &peer {
                request.extensions_mut().insert(peer.clone());
            }
            let response = self.0.clone().oneshot(request);
            async move {
                let response = response.await?;
                Ok::<_, Infallible>(response.map(|body| TrackedBody { body, in_flight }))
            }
        });
        let buffer = usize::try_from(limits.max_header_bytes).unwrap_or(usize::MAX);
        // hyper's own head timeout would also end idle connections: see `Activity`.
        let connection = Builder::new()
            .max_buf_size(buffer.max(MIN_BUFFER))
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut shutting_down = pin!(shutdown.cancelled());
        let mut timer = Timer::new(activity, limits);
        let mut closing = false;
        poll_fn(|cx| {
            if !closing && shutting_down.as_mut().poll(cx).is_ready() {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
            loop {
                if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                    return Poll::Ready(ended);
                }
                match timer.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Expiry::Stalled) => return Poll::Ready(Ok(())),
                    Poll::Ready(Expiry::Idle) => connection.as_mut().graceful_shutdown(),
                }
            }
        })
        .await
        .unwrap_or_else(|error| tracing::debug!(%error, "connection ended"));
    }
}

/// The timer of a connection's deadlines.
struct Timer<'l> {
    activity: Arc<Activity>,
    limits: &'l Limits,
    sleep: Pin<Box<Sleep>>,
    /// The deadline of an idle connection's graceful close.
    close_by: Option<Instant>,
}

impl<'l> Timer<'l> {
    fn new(activity: Arc<Activity>, limits: &'l Limits) -> Self {
        let (deadline, _) = activity.deadline(limits);
        Self {
            activity,
            limits,
            sleep: Box::pin(sleep_until(deadline)),
            close_by: None,
        }
    }

    /// Ready when the connection has exceeded a limit.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Expiry> {
        loop {
            let (deadline, expiry) = self.activity.deadline(self.limits);
            let deadline = self.close_by.unwrap_or(deadline);
            // A later deadline does not reset the timer, which would cost more than one early
            // wake-up.
            if deadline < self.sleep.deadline() {
                self.sleep.as_mut().reset(deadline);
            }
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if now < deadline {
                self.sleep.as_mut().reset(deadline);
            } else if self.close_by.is_some() || expiry == Expiry::Stalled {
                return Poll::Ready(Expiry::Stalled);
            } else {
                self.close_by = Some(now + GRACEFUL_CLOSE_TIMEOUT);
                return Poll::Ready(Expiry::Idle);
            }
        }
    }
}
