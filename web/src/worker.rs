//! The worker threads. Each has its own runtime and does all work of its connections, so that no
//! request crosses threads. The redirect, readiness probes, discovery, reloads, metrics and traces run
//! in the main thread's runtime.

use std::io;
use std::net;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
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

/// The shared state of all workers.
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
    /// Starts the workers on one shared socket: the first free worker accepts the next connection.
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

    /// Waits for all workers, and sums up their drains.
    ///
    /// # Errors
    ///
    /// As soon as one worker has failed or panicked.
    pub(crate) async fn join(self) -> anyhow::Result<Drained> {
        let mut forced = 0;
        let mut running: FuturesUnordered<_> = self.0.into_iter().collect();
        while let Some(ended) = running.next().await {
            if let Drained::Forced(connections) = ended.context("a worker has panicked")?? {
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
        // A task of its own: the future of `block_on` is polled at every wake-up of the thread.
        let served = listener::serve(socket, transport, EdgeHandler(edge), limits, shutdown);
        tokio::spawn(served).await.map_err(io::Error::other)
    })
}
