//! Clients that ask over and over, and note every failure.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use http::Request;
use https_client::Connection;
use https_client::HttpsClient;
use tokio::task::JoinHandle;

/// Makes the request of a number that no other request of the load has.
type Make = dyn Fn(usize) -> Request<Bytes> + Send + Sync;

/// Clients at work, each asking again when it was answered.
pub struct Load {
    clients: Vec<JoinHandle<anyhow::Result<Outcome>>>,
    shared: Arc<Shared>,
}

/// What a load came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How long each answer took, good or not, and when it came.
    pub answers: Vec<(Instant, Duration)>,
    /// When something failed, and how: an error status, or no answer.
    pub failures: Vec<(Instant, String)>,
}

struct Shared {
    door: HttpsClient,
    stopped: AtomicBool,
    next: AtomicUsize,
    make: Box<Make>,
    /// Between an answer and the next request.
    pause: Duration,
    /// How many requests a connection carries.
    requests: usize,
}

impl Load {
    /// So many clients begin. A connection carries so many requests before its client makes another.
    pub fn start(
        door: HttpsClient,
        clients: usize,
        requests: usize,
        pause: Duration,
        make: impl Fn(usize) -> Request<Bytes> + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            door,
            stopped: AtomicBool::new(false),
            next: AtomicUsize::new(0),
            make: Box::new(make),
            pause,
            requests,
        });
        let clients = (0..clients).map(|_| tokio::spawn(Arc::clone(&shared).ask()));
        Self {
            clients: clients.collect(),
            shared,
        }
    }

    /// Lets every client finish what it is at.
    ///
    /// # Errors
    /// When a client could not even make a request.
    pub async fn stop(self) -> anyhow::Result<Outcome> {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let mut all = Outcome::default();
        for client in self.clients {
            let one = client.await.context("a client broke")??;
            all.answers.extend(one.answers);
            all.failures.extend(one.failures);
        }
        all.failures.sort_by_key(|(at, _)| *at);
        Ok(all)
    }
}

impl Shared {
    async fn ask(self: Arc<Self>) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut connection: Option<(Connection, usize)> = None;
        while !self.stopped.load(Ordering::SeqCst) {
            let (mut open, carried) = match connection.take() {
                Some((open, carried)) if carried < self.requests => (open, carried),
                _ => match self.door.connect().await {
                    Ok(open) => (open, 0),
                    Err(error) => {
                        outcome.failed(format!("no connection: {error:#}"));
                        tokio::time::sleep(self.pause).await;
                        continue;
                    }
                },
            };
            let request = (self.make)(self.next.fetch_add(1, Ordering::SeqCst));
            let what = format!("{} {}", request.method(), request.uri());
            let asked = Instant::now();
            match open.send(request).await {
                Ok(answer) => {
                    let now = Instant::now();
                    outcome.answers.push((now, now - asked));
                    if !answer.status().is_success() {
                        outcome.failed(format!("{what}: {}", answer.status()));
                    }
                    connection = Some((open, carried + 1));
                }
                Err(error) => outcome.failed(format!("{what}: {error:#}")),
            }
            tokio::time::sleep(self.pause).await;
        }
        Ok(outcome)
    }
}

impl Outcome {
    /// The part of it that came from a moment on.
    #[must_use]
    pub fn since(&self, moment: Instant) -> Self {
        self.part(|at| at >= moment)
    }

    /// The part of it that came before a moment.
    #[must_use]
    pub fn until(&self, moment: Instant) -> Self {
        self.part(|at| at < moment)
    }

    fn part(&self, wanted: impl Fn(Instant) -> bool) -> Self {
        let answers = self.answers.iter().filter(|(at, _)| wanted(*at));
        let failures = self.failures.iter().filter(|(at, _)| wanted(*at));
        Self {
            answers: answers.copied().collect(),
            failures: failures.cloned().collect(),
        }
    }

    /// A percentile of the times that answers took.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut times: Vec<Duration> = self.answers.iter().map(|(_, took)| *took).collect();
        times.sort();
        let at = times.len().saturating_sub(1) * percent / 100;
        times.get(at).copied().unwrap_or_default()
    }

    fn failed(&mut self, how: String) {
        self.failures.push((Instant::now(), how));
    }
}
