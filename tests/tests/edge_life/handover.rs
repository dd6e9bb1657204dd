//! A new binary takes the listening sockets over while clients keep sending requests.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::task;
use tokio::task::JoinSet;
use tokio::time;

use super::environment::Client;
use super::environment::Environment;
use super::environment::FAST_PATH;
use super::environment::SLOW_PATH;
use super::program::Program;
use super::program::socket;

/// Clients that send requests continuously, each on a new connection.
struct ContinuousClients {
    clients: JoinSet<Vec<String>>,
    served: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl ContinuousClients {
    fn start(client: &Client) -> Self {
        let (served, stopped) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut clients = JoinSet::new();
        for _ in 0..8 {
            let (client, served) = (client.clone(), Arc::clone(&served));
            let stopped = Arc::clone(&stopped);
            clients.spawn(async move {
                let mut failures = Vec::new();
                while !stopped.load(Relaxed) {
                    match client.get(FAST_PATH).await {
                        Ok(200) => {
                            served.fetch_add(1, Relaxed);
                        }
                        other => failures.push(format!("{other:?}")),
                    }
                }
                failures
            });
        }
        Self {
            clients,
            served,
            stopped,
        }
    }

    /// Waits for 100 more responses.
    async fn await_responses(&self) {
        let before = self.served.load(Relaxed);
        while self.served.load(Relaxed) < before + 100 {
            time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn failures(self) -> Vec<String> {
        self.stopped.store(true, Relaxed);
        self.clients.join_all().await.concat()
    }
}

/// Runs a blocking wait on a thread of its own.
async fn blocking<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    task::spawn_blocking(wait).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_binary_takes_over_without_a_refused_connection_or_a_failed_request() {
    let environment = Environment::new().await;
    let (socket, address) = socket();
    let client = environment.client(address);
    let mut old = Program::start(&environment, "old", &socket, &[]);
    old = blocking(move || {
        old.await_notification("READY=1");
        old
    })
    .await;
    let load = ContinuousClients::start(&client);
    load.await_responses().await;
    // This request is with the old binary, and takes longer than the handover.
    let slow = tokio::spawn({
        let client = client.clone();
        async move { client.get(SLOW_PATH).await }
    });
    time::sleep(Duration::from_millis(100)).await;
    for turn in 0..3 {
        let name = format!("new{turn}");
        let new = Program::start(&environment, &name, &socket, &[]);
        let (new, ended) = blocking(move || {
            new.await_notification("READY=1");
            old.terminate();
            old.await_notification("STOPPING=1");
            (new, old.await_exit())
        })
        .await;
        assert!(ended.success(), "{ended}");
        load.await_responses().await;
        old = new;
    }
    assert_eq!(slow.await.unwrap().unwrap(), 200);
    assert_eq!(load.failures().await, [""; 0]);
}
