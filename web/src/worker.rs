//! The threads that serve. Each has a runtime of its own and does everything for its connections:
//! nothing wakes another thread or is handed over to one. What is beside that (health checks,
//! reloads, metrics, traces) goes on in the main thread's runtime.

use std::{
    cell::Cell,
    io, net,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use certs::listener::{self, Drained};
use tokio::{net::TcpListener, runtime, sync::oneshot};
use tokio_util::sync::CancellationToken;

use crate::{conversation::Talk, edge::Edge, life::Pulse, transport::EdgeTransport};

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// One value for each worker, and one for everything else. A connection is tied to the runtime that
/// made it, so its pool is too.
#[derive(Debug)]
pub(crate) struct PerWorker<T>(Box<[Mutex<T>]>);

impl<T: Default> PerWorker<T> {
    pub(crate) fn new(workers: usize) -> Self {
        Self((0..=workers).map(|_| Mutex::default()).collect())
    }
}

impl<T> PerWorker<T> {
    /// That of this thread.
    pub(crate) fn own(&self) -> Option<MutexGuard<'_, T>> {
        self.0.get(NUMBER.get()).map(locked)
    }

    /// Those of all.
    pub(crate) fn all(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.0.iter().map(locked)
    }
}

/// The lock, whoever held it last: what it guards is whole at every moment.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What every worker serves with.
#[derive(Clone)]
pub(crate) struct Workshop {
    pub(crate) edge: Arc<Edge>,
    pub(crate) transport: EdgeTransport,
    pub(crate) limits: listener::Limits,
    pub(crate) shutdown: CancellationToken,
}

/// The workers at work.
pub(crate) struct Workers(Vec<oneshot::Receiver<io::Result<Drained>>>);

impl Workers {
    /// Starts `count` of them on one socket: whoever is free takes the next connection.
    pub(crate) fn start(
        count: usize,
        socket: &net::TcpListener,
        workshop: &Workshop,
        pulse: &Arc<Pulse>,
    ) -> io::Result<Self> {
        let mut workshop = workshop.clone();
        workshop.limits.connections = workshop.limits.connections.div_ceil(count.max(1));
        let start = |number: usize| {
            let (socket, workshop) = (socket.try_clone()?, workshop.clone());
            let pulse = Arc::clone(pulse);
            let (over, done) = oneshot::channel();
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || over.send(work(number, socket, workshop, pulse)))?;
            Ok(done)
        };
        (1..=count).map(start).collect::<io::Result<_>>().map(Self)
    }

    /// Waits until all of them have ended.
    pub(crate) async fn ended(self) -> anyhow::Result<Drained> {
        let mut cut = 0;
        for worker in self.0 {
            if let Drained::Cut(connections) = worker.await?? {
                cut += connections;
            }
        }
        Ok(if cut > 0 {
            Drained::Cut(cut)
        } else {
            Drained::Complete
        })
    }
}

fn work(
    number: usize,
    socket: net::TcpListener,
    workshop: Workshop,
    pulse: Arc<Pulse>,
) -> io::Result<Drained> {
    NUMBER.set(number);
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let Workshop {
        edge,
        transport,
        limits,
        shutdown,
    } = workshop;
    runtime.block_on(async {
        let socket = TcpListener::from_std(socket)?;
        tokio::spawn(pulse.beat(number));
        // A task, so that the thread's own future is not polled at every wake-up.
        let served = listener::serve(socket, transport, Talk(edge), limits, shutdown);
        tokio::spawn(served).await.map_err(io::Error::other)
    })
}
