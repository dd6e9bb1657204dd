use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::task;
use tokio::task::JoinSet;
use tokio::time;

use super::program::Program;
use super::program::socket;
use super::surroundings::Client;
use super::surroundings::FAST;
use super::surroundings::SLOW;
use super::surroundings::Surroundings;

/// Clients that connect all the time, each with one request after the other.
struct Crowd {
    clients: JoinSet<Vec<String>>,
    answered: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
}

impl Crowd {
    fn gather(client: &Client) -> Self {
        let (answered, enough) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut clients = JoinSet::new();
        for _ in 0..8 {
            let (client, answered) = (client.clone(), Arc::clone(&answered));
            let enough = Arc::clone(&enough);
            clients.spawn(async move {
                let mut failures = Vec::new();
                while !enough.load(Relaxed) {
                    match client.get(FAST).await {
                        Ok(200) => {
                            answered.fetch_add(1, Relaxed);
                        }
                        other => failures.push(format!("{other:?}")),
                    }
                }
                failures
            });
        }
        Self {
            clients,
            answered,
            enough,
        }
    }

    /// Waits for some more answers.
    async fn answers(&self) {
        let before = self.answered.load(Relaxed);
        while self.answered.load(Relaxed) < before + 100 {
            time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn failures(self) -> Vec<String> {
        self.enough.store(true, Relaxed);
        self.clients.join_all().await.concat()
    }
}

/// Runs what waits apart from the clients.
async fn aside<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    task::spawn_blocking(wait).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_binary_takes_over_without_a_refused_connection_or_a_failed_request() {
    let surroundings = Surroundings::new().await;
    let (socket, address) = socket();
    let client = surroundings.client(address);
    let mut old = Program::start(&surroundings, "old", &socket, &[]);
    old = aside(move || {
        old.tells("READY=1");
        old
    })
    .await;
    let crowd = Crowd::gather(&client);
    crowd.answers().await;
    // This one is with the old binary, and takes longer than the handover.
    let slow = tokio::spawn({
        let client = client.clone();
        async move { client.get(SLOW).await }
    });
    time::sleep(Duration::from_millis(100)).await;
    for turn in 0..3 {
        let name = format!("new{turn}");
        let new = Program::start(&surroundings, &name, &socket, &[]);
        let (new, ended) = aside(move || {
            new.tells("READY=1");
            old.terminate();
            old.tells("STOPPING=1");
            (new, old.ends())
        })
        .await;
        assert!(ended.success(), "{ended}");
        crowd.answers().await;
        old = new;
    }
    assert_eq!(slow.await.unwrap().unwrap(), 200);
    assert_eq!(crowd.failures().await, [""; 0]);
}
