//! Clients that send requests continuously and record every failure.

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

/// Makes the request with this number; numbers are unique within a load.
type Make = dyn Fn(usize) -> Request<Bytes> + Send + Sync;

/// Running clients, each of which sends its next request after a response.
pub struct Load {
    clients: Vec<JoinHandle<anyhow::Result<LoadReport>>>,
    shared: Arc<Shared>,
}

/// The result of a load.
#[derive(Clone, Debug, Default)]
pub struct LoadReport {
    /// When each response arrived, whatever its status, and how long it took.
    pub responses: Vec<(Instant, Duration)>,
    /// When a request failed and how: an error status, or no response.
    pub failures: Vec<(Instant, String)>,
}

struct Shared {
    door: HttpsClient,
    stopped: AtomicBool,
    next: AtomicUsize,
    make: Box<Make>,
    /// The pause between a response and the next request.
    pause: Duration,
    /// The number of requests per connection.
    requests: usize,
}

impl Load {
    /// Starts `clients` clients, each with a new connection after `requests` requests.
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
        let clients = (0..clients).map(|_| tokio::spawn(Arc::clone(&shared).run()));
        Self {
            clients: clients.collect(),
            shared,
        }
    }

    /// Lets every client complete its current request, and stops.
    ///
    /// # Errors
    /// When a client could not send requests at all.
    pub async fn stop(self) -> anyhow::Result<LoadReport> {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let mut all = LoadReport::default();
        for client in self.clients {
            let one = client.await.context("a client panicked")??;
            all.responses.extend(one.responses);
            all.failures.extend(one.failures);
        }
        all.failures.sort_by_key(|(at, _)| *at);
        Ok(all)
    }
}

impl Shared {
    async fn run(self: Arc<Self>) -> anyhow::Result<LoadReport> {
        let mut outcome = LoadReport::default();
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
            let sent = Instant::now();
            match open.send(request).await {
                Ok(response) => {
                    let now = Instant::now();
                    outcome.responses.push((now, now - sent));
                    if !response.status().is_success() {
                        outcome.failed(format!("{what}: {}", response.status()));
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

impl LoadReport {
    /// The part from this moment on.
    #[must_use]
    pub fn since(&self, moment: Instant) -> Self {
        self.part(|at| at >= moment)
    }

    /// The part before this moment.
    #[must_use]
    pub fn until(&self, moment: Instant) -> Self {
        self.part(|at| at < moment)
    }

    fn part(&self, wanted: impl Fn(Instant) -> bool) -> Self {
        let responses = self.responses.iter().filter(|(at, _)| wanted(*at));
        let failures = self.failures.iter().filter(|(at, _)| wanted(*at));
        Self {
            responses: responses.copied().collect(),
            failures: failures.cloned().collect(),
        }
    }

    /// A percentile of the response times.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut times: Vec<Duration> = self.responses.iter().map(|(_, took)| *took).collect();
        times.sort();
        let at = times.len().saturating_sub(1) * percent / 100;
        times.get(at).copied().unwrap_or_default()
    }

    fn failed(&mut self, how: String) {
        self.failures.push((Instant::now(), how));
    }
}
