//! The threads that serve. Each has a runtime of its own and does everything for its connections:
//! nothing wakes another thread, or is handed over to one. Readiness probes, reloads, metrics and
//! traces run in the main thread's runtime.

use std::io;
use std::net;
use std::sync::Arc;
use std::thread;

use listener::Drained;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::edge::Edge;
use crate::edge_handler::EdgeHandler;
use crate::lifecycle::Heartbeat;
use crate::per_worker;
use crate::transport::EdgeTransport;

/// What every worker serves with.
#[derive(Clone)]
pub(crate) struct WorkerContext {
    pub(crate) edge: Arc<Edge>,
    pub(crate) transport: EdgeTransport,
    pub(crate) limits: listener::Limits,
    pub(crate) shutdown: CancellationToken,
}

/// The running workers.
pub(crate) struct Workers(Vec<oneshot::Receiver<io::Result<Drained>>>);

impl Workers {
    /// Starts workers on one socket: the first one that is free accepts the next connection.
    pub(crate) fn start(
        count: usize,
        socket: &net::TcpListener,
        context: &WorkerContext,
        heartbeat: &Arc<Heartbeat>,
    ) -> io::Result<Self> {
        let start = |number: usize| {
            let (socket, context) = (socket.try_clone()?, context.clone());
            let heartbeat = Arc::clone(heartbeat);
            let (sender, receiver) = oneshot::channel();
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || sender.send(run(number, socket, context, heartbeat)))?;
            Ok(receiver)
        };
        (1..=count).map(start).collect::<io::Result<_>>().map(Self)
    }

    /// Waits until all of them have ended.
    pub(crate) async fn join(self) -> anyhow::Result<Drained> {
        let mut forced = 0;
        for worker in self.0 {
            if let Drained::Forced(connections) = worker.await?? {
                forced += connections;
            }
        }
        Ok(if forced > 0 {
            Drained::Forced(forced)
        } else {
            Drained::Complete
        })
    }
}

fn run(
    number: usize,
    socket: net::TcpListener,
    context: WorkerContext,
    heartbeat: Arc<Heartbeat>,
) -> io::Result<Drained> {
    per_worker::become_worker(number);
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let WorkerContext {
        edge,
        transport,
        limits,
        shutdown,
    } = context;
    runtime.block_on(async {
        let socket = TcpListener::from_std(socket)?;
        tokio::spawn(heartbeat.run(number));
        // A task, so that the thread's own future is not polled at every wake-up.
        let served = listener::serve(socket, transport, EdgeHandler(edge), limits, shutdown);
        tokio::spawn(served).await.map_err(io::Error::other)
    })
}
