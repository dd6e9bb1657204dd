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
use tokio::{net::TcpStream, task::AbortHandle, time::timeout};

use crate::body::RequestBody;

/// From the first packet to the end of the handshake.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a connection waits for its next request: less than the app would wait.
const IDLE: Duration = Duration::from_secs(30);
/// How long a connection is used at all: a change of what we trust takes effect by then.
const AGE: Duration = Duration::from_mins(5);
/// How many connections wait.
const WAITING: usize = 128;
/// From the end of an answer to that of its exchange.
const ENDING: Duration = Duration::from_millis(100);
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
    wire: Wire,
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

/// A connection, and the task that moves its bytes.
struct Wire {
    sender: SendRequest<RequestBody>,
    task: AbortHandle,
    born: Instant,
}

/// One request on an app, until its answer has ended or nobody waits for it any more. Then the
/// connection goes back to its pool, or is ended if the exchange is not over: an app may have
/// answered without reading a body that is still being sent.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    wire: Option<Wire>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.busy.fetch_sub(1, Relaxed);
        let Some(mut wire) = self.wire.take() else {
            return;
        };
        if wire.sender.is_ready() {
            return self.pool.put(wire);
        }
        let pool = Arc::clone(&self.pool);
        tokio::spawn(async move {
            match timeout(ENDING, wire.sender.ready()).await {
                Ok(Ok(())) => pool.put(wire),
                Ok(Err(_)) | Err(_) => wire.task.abort(),
            }
        });
    }
}

/// A connection that is ready for one request.
pub(super) struct Connection {
    wire: Wire,
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
        let lease = Lease {
            pool: Arc::clone(self),
            wire: None,
        };
        if let Some(wire) = self.take() {
            return Ok(Connection {
                wire,
                reused: true,
                lease,
            });
        }
        let connected = timeout(CONNECT, self.connect())
            .await
            .unwrap_or(Err(PoolError::Slow));
        *locked(&self.resting_until) = connected.is_err().then(|| Instant::now() + REST);
        Ok(Connection {
            wire: connected?,
            reused: false,
            lease,
        })
    }

    /// The connection that has waited least, among those that are still good.
    fn take(&self) -> Option<Wire> {
        let now = Instant::now();
        let mut waiting = locked(&self.waiting);
        waiting.retain(|one| {
            !one.wire.sender.is_closed() && now < one.since + IDLE && now < one.wire.born + AGE
        });
        waiting.pop().map(|one| one.wire)
    }

    fn put(&self, wire: Wire) {
        let mut waiting = locked(&self.waiting);
        if waiting.len() < WAITING && !wire.sender.is_closed() {
            waiting.push(Waiting {
                wire,
                since: Instant::now(),
            });
        }
    }

    async fn connect(&self) -> Result<Wire, PoolError> {
        let tcp = TcpStream::connect(&self.address).await?;
        let (stream, _peer) = self.tls.connect(tcp).await?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(64 * 1024)
            .handshake(TokioIo::new(stream))
            .await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to an app ended");
            }
        });
        sender.ready().await?;
        Ok(Wire {
            sender,
            task: task.abort_handle(),
            born: Instant::now(),
        })
    }
}

impl Connection {
    /// Whether it has carried a request before.
    pub(super) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Sends a request, and awaits the head of its answer.
    pub(super) async fn send(
        self,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), SendError> {
        let Self {
            mut wire,
            mut lease,
            ..
        } = self;
        match wire.sender.try_send_request(request).await {
            Ok(response) => {
                lease.wire = Some(wire);
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
