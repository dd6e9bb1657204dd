use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use certs::{ConnectError, MutualClient};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::body::RequestBody;

/// From the first packet to the end of the handshake.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a connection waits for its next request: less than the app would wait.
const IDLE: Duration = Duration::from_secs(30);
/// How long a connection is used at all: a change of what we trust takes effect by then.
const AGE: Duration = Duration::from_mins(5);
/// How many connections wait.
const WAITING: usize = 128;
/// How long an app that could not be connected to is asked last.
const REST: Duration = Duration::from_secs(2);

/// The connections to one app.
pub(super) struct Pool {
    address: String,
    tls: MutualClient,
    waiting: Mutex<Vec<Waiting>>,
    busy: AtomicUsize,
    resting_until: Mutex<Option<Instant>>,
}

/// A connection that waits for a request.
struct Waiting {
    sender: SendRequest<RequestBody>,
    born: Instant,
    since: Instant,
}

/// Why there is no connection to an app. Nothing was sent to it.
#[derive(Debug, thiserror::Error)]
pub(super) enum PoolError {
    #[error("{0}")]
    Tcp(#[from] std::io::Error),
    #[error(transparent)]
    Tls(#[from] ConnectError),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("it takes too long")]
    Slow,
}

/// Why a connection gave no answer.
pub(super) enum SendError {
    /// Nothing was sent: here is the request again.
    Unsent(Box<Request<RequestBody>>),
    /// Something may have been sent.
    Lost(hyper::Error),
}

/// Counts one request on an app, until its answer has ended.
pub(crate) struct Lease(Arc<Pool>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

/// A connection that is ready for one request.
pub(super) struct Connection {
    sender: SendRequest<RequestBody>,
    born: Instant,
    reused: bool,
    lease: Lease,
}

impl Pool {
    pub(super) fn new(address: String, tls: MutualClient) -> Self {
        Self {
            address,
            tls,
            waiting: Mutex::default(),
            busy: AtomicUsize::new(0),
            resting_until: Mutex::default(),
        }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// How many requests are with this app.
    pub(super) fn busy(&self) -> usize {
        self.busy.load(Relaxed)
    }

    /// Whether this app could not be connected to a moment ago.
    pub(super) fn is_resting(&self) -> bool {
        locked(&self.resting_until).is_some_and(|until| Instant::now() < until)
    }

    /// A waiting connection, or a new one.
    pub(super) async fn connection(self: &Arc<Self>) -> Result<Connection, PoolError> {
        self.busy.fetch_add(1, Relaxed);
        let lease = Lease(Arc::clone(self));
        if let Some(Waiting { sender, born, .. }) = self.take() {
            return Ok(Connection {
                sender,
                born,
                reused: true,
                lease,
            });
        }
        let connected = timeout(CONNECT, self.connect())
            .await
            .unwrap_or(Err(PoolError::Slow));
        *locked(&self.resting_until) = connected.is_err().then(|| Instant::now() + REST);
        let sender = connected?;
        Ok(Connection {
            sender,
            born: Instant::now(),
            reused: false,
            lease,
        })
    }

    /// The connection that has waited least, among those that are still good.
    fn take(&self) -> Option<Waiting> {
        let now = Instant::now();
        let mut waiting = locked(&self.waiting);
        waiting.retain(|one| {
            !one.sender.is_closed() && now < one.since + IDLE && now < one.born + AGE
        });
        waiting.pop()
    }

    fn put(&self, sender: SendRequest<RequestBody>, born: Instant) {
        let mut waiting = locked(&self.waiting);
        if waiting.len() < WAITING && !sender.is_closed() {
            waiting.push(Waiting {
                sender,
                born,
                since: Instant::now(),
            });
        }
    }

    async fn connect(&self) -> Result<SendRequest<RequestBody>, PoolError> {
        let tcp = TcpStream::connect(&self.address).await?;
        let (stream, _peer) = self.tls.connect(tcp).await?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(64 * 1024)
            .handshake(TokioIo::new(stream))
            .await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to an app ended");
            }
        });
        sender.ready().await?;
        Ok(sender)
    }
}

impl Connection {
    /// Whether it has carried a request before.
    pub(super) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Sends a request, and awaits the head of its answer. The connection goes back to its pool
    /// once the answer's body has been read.
    pub(super) async fn send(
        self,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), SendError> {
        let Self {
            mut sender,
            born,
            lease,
            ..
        } = self;
        match sender.try_send_request(request).await {
            Ok(response) => {
                let pool = Arc::clone(&lease.0);
                if sender.is_ready() {
                    pool.put(sender, born);
                } else {
                    tokio::spawn(async move {
                        if sender.ready().await.is_ok() {
                            pool.put(sender, born);
                        }
                    });
                }
                Ok((response, lease))
            }
            Err(mut error) => Err(match error.take_message() {
                Some(request) => SendError::Unsent(Box::new(request)),
                None => SendError::Lost(error.into_error()),
            }),
        }
    }
}

/// The lock, whoever held it last: what it guards is whole at every moment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
