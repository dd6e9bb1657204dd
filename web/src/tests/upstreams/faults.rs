//! Tests of several endpoints, some of which fail.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::coop::poll_proceed;
use tokio::time::Instant;
use tokio::time::sleep;

use super::fake::Action;
use super::fake::FakeEndpoint;
use super::fake::TestPool;
use super::fake::ok;
use crate::limits::UpstreamLimits;
use crate::tests::stack::Certificates;
use crate::upstream::Source;
use crate::upstream::UpstreamError;

async fn healthy(certificates: &Certificates) -> FakeEndpoint {
    FakeEndpoint::start(certificates, |_| Action::Respond(ok("served"))).await
}

/// Sixteen clients that send requests until they are stopped.
struct Load {
    tasks: Vec<tokio::task::JoinHandle<(usize, Vec<String>)>>,
    requests_sent: Arc<AtomicUsize>,
    stop: tokio_util::sync::CancellationToken,
}

impl Load {
    fn start(pool: &TestPool) -> Self {
        let (requests_sent, stop) = (
            Arc::<AtomicUsize>::default(),
            tokio_util::sync::CancellationToken::new(),
        );
        let client = |_| {
            let (pool, requests_sent, stop) =
                (pool.clone(), Arc::clone(&requests_sent), stop.clone());
            tokio::spawn(async move {
                let (mut requests, mut errors) = (0, Vec::new());
                while !stop.is_cancelled() {
                    requests += 1;
                    requests_sent.fetch_add(1, Relaxed);
                    if let Err(error) = pool.get("/").await {
                        errors.push(error.to_string());
                    }
                    sleep(Duration::from_millis(2)).await;
                }
                (requests, errors)
            })
        };
        let tasks = (0..16).map(client).collect();
        Self {
            tasks,
            requests_sent,
            stop,
        }
    }

    /// Stops the clients, and returns the number of requests and the errors.
    async fn end(self) -> (usize, Vec<String>) {
        self.stop.cancel();
        let ended = futures::future::join_all(self.tasks).await;
        ended
            .into_iter()
            .map(Result::unwrap)
            .fold((0, Vec::new()), |mut all, one| {
                all.0 += one.0;
                all.1.extend(one.1);
                all
            })
    }
}

fn retries(pool: &TestPool) -> usize {
    usize::try_from(pool.counters.retries.load(Relaxed)).unwrap()
}

#[tokio::test]
async fn a_killed_endpoint_causes_no_error_and_is_readmitted_within_ten_seconds() {
    let certificates = Certificates::issue();
    let (first, second) = (healthy(&certificates).await, healthy(&certificates).await);
    let pool = TestPool::start(&certificates, &[&first, &second]);
    pool.wait_for(2).await;
    let load = Load::start(&pool);
    sleep(Duration::from_millis(300)).await;
    first.kill().await;
    pool.wait_for(1).await;
    sleep(Duration::from_millis(500)).await;
    let restarted = FakeEndpoint::start_at(first.address, &certificates, |_| {
        Action::Respond(ok("restarted"))
    })
    .await;
    pool.wait_for(2).await;
    sleep(Duration::from_millis(500)).await;
    let (requests, errors) = load.end().await;
    assert!(errors.is_empty(), "{errors:?}");
    assert!(!restarted.received().is_empty());
    assert!(
        retries(&pool) * 5 < requests,
        "{} of {requests}",
        retries(&pool)
    );
}

#[tokio::test]
async fn a_blackholed_endpoint_causes_no_error_and_is_readmitted_within_ten_seconds() {
    let certificates = Certificates::issue();
    let (first, second) = (healthy(&certificates).await, healthy(&certificates).await);
    let pool = TestPool::start(&certificates, &[&first, &second]);
    pool.wait_for(2).await;
    let load = Load::start(&pool);
    sleep(Duration::from_millis(300)).await;
    first.blackholed.store(true, Relaxed);
    pool.wait_for(1).await;
    let received = first.received().len();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(first.received().len(), received);
    first.blackholed.store(false, Relaxed);
    pool.wait_for(2).await;
    sleep(Duration::from_millis(500)).await;
    let (requests, errors) = load.end().await;
    assert!(errors.is_empty(), "{errors:?}");
    assert!(first.received().len() > received);
    let retries = retries(&pool);
    assert!(
        retries > 0 && retries * 5 < requests,
        "{retries} of {requests}"
    );
}

#[tokio::test]
async fn a_slow_endpoint_gets_fewer_requests() {
    let certificates = Certificates::issue();
    let slow = FakeEndpoint::start(&certificates, |_| {
        Action::RespondAfter(Duration::from_millis(300), ok("slow"))
    })
    .await;
    let fast = healthy(&certificates).await;
    let pool = TestPool::start(&certificates, &[&slow, &fast]);
    pool.wait_for(2).await;
    let load = Load::start(&pool);
    while load.requests_sent.load(Relaxed) < 1000 {
        sleep(Duration::from_millis(20)).await;
    }
    let (_, errors) = load.end().await;
    assert!(errors.is_empty(), "{errors:?}");
    let (slow, fast) = (slow.received().len(), fast.received().len());
    assert!(slow * 5 < fast, "{slow} and {fast}");
}

#[tokio::test]
async fn a_post_is_never_sent_twice() {
    let certificates = Certificates::issue();
    // Each responds to the first request of a connection, and closes it at the second.
    let closing = |request: &super::fake::Received| {
        if request.index == 0 {
            Action::Respond(ok("served"))
        } else {
            Action::Close
        }
    };
    let (first, second) = (
        FakeEndpoint::start(&certificates, closing).await,
        FakeEndpoint::start(&certificates, closing).await,
    );
    let limits = UpstreamLimits {
        // Probes would count as requests on the connections.
        probe_interval: Duration::from_mins(1),
        ..UpstreamLimits::default()
    };
    let pool = TestPool::with_limits(&certificates, &[&first, &second], limits);
    pool.wait_for(2).await;
    let mut lost = 0;
    for number in 0..40 {
        match pool.post("/", &format!("<{number}>")).await {
            Ok((status, _)) => assert_eq!(status, 200),
            Err(error) => {
                assert!(matches!(error, UpstreamError::Lost(_)), "{error}");
                lost += 1;
            }
        }
    }
    assert!(lost > 0);
    let mut times = HashMap::new();
    for request in first.received().iter().chain(&second.received()) {
        *times.entry(request.body.clone()).or_insert(0) += 1;
    }
    assert_eq!(times.len(), 40);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    // A `GET` is retried.
    for _ in 0..20 {
        assert_eq!(pool.get("/").await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn a_connection_that_the_endpoint_has_closed_is_not_used_again() {
    let certificates = Certificates::issue();
    let endpoint =
        FakeEndpoint::start(&certificates, |_| Action::RespondAndClose(ok("served"))).await;
    let pool = TestPool::start(&certificates, &[&endpoint]);
    for number in 0..20 {
        // Time to notice the close, as between any two requests of a pool.
        sleep(Duration::from_millis(10)).await;
        assert_eq!(
            pool.post("/", &number.to_string()).await.unwrap().0,
            200,
            "{number}"
        );
    }
    assert_eq!(endpoint.received().len(), 20);
}

#[tokio::test]
async fn a_closed_connection_is_noticed_by_a_task_that_has_used_up_its_budget() {
    let certificates = Certificates::issue();
    let endpoint = healthy(&certificates).await;
    let limits = UpstreamLimits {
        probe_interval: Duration::from_mins(1),
        ..UpstreamLimits::default()
    };
    let pool = TestPool::with_limits(&certificates, &[&endpoint], limits);
    pool.wait_for(1).await;
    assert_eq!(pool.post("/", "a").await.unwrap().0, 200);
    endpoint.kill().await;
    let _restarted = FakeEndpoint::start_at(endpoint.address, &certificates, |_| {
        Action::Respond(ok("restarted"))
    })
    .await;
    // Time to notice the close, as between any two requests of a pool.
    sleep(Duration::from_millis(50)).await;
    let mut post = Box::pin(pool.post("/", "b"));
    let first_poll = poll_fn(|cx| {
        while let Poll::Ready(budget) = poll_proceed(cx) {
            budget.made_progress();
        }
        Poll::Ready(post.as_mut().poll(cx).is_ready())
    });
    assert!(!first_poll.await);
    assert_eq!(post.await.unwrap().0, 200);
}

#[tokio::test]
async fn an_endpoint_that_is_not_ready_gets_requests_only_if_none_is_ready() {
    let certificates = Certificates::issue();
    let (first, second) = (healthy(&certificates).await, healthy(&certificates).await);
    let pool = TestPool::start(&certificates, &[&first, &second]);
    pool.wait_for(2).await;
    first.unready.store(true, Relaxed);
    pool.wait_for(1).await;
    for _ in 0..20 {
        assert_eq!(pool.get("/").await.unwrap().0, 200);
    }
    assert!(first.received().is_empty());
    second.unready.store(true, Relaxed);
    pool.wait_for(0).await;
    assert_eq!(pool.get("/").await.unwrap().0, 200);
    first.unready.store(false, Relaxed);
    pool.wait_for(1).await;
    let before = first.received().len();
    assert_eq!(pool.get("/").await.unwrap().0, 200);
    assert_eq!(first.received().len(), before + 1);
}

/// The address of a proxy that delays each connection to the endpoint.
async fn delaying_proxy(endpoint: SocketAddr, delay: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                sleep(delay).await;
                let mut server = TcpStream::connect(endpoint).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    address
}

#[tokio::test]
async fn requests_that_queue_for_a_connection_eject_no_endpoint() {
    let certificates = Certificates::issue();
    let endpoint = healthy(&certificates).await;
    let proxy = delaying_proxy(endpoint.address, Duration::from_millis(500)).await;
    // The queue lasts longer than the timeouts of a connection and of a probe.
    let limits = UpstreamLimits {
        max_connecting: 1,
        connect_timeout: Duration::from_secs(2),
        probe_timeout: Duration::from_secs(2),
        probe_interval: Duration::from_millis(100),
        ..UpstreamLimits::default()
    };
    let source = Source::Fixed(vec![proxy.to_string().parse().unwrap()]);
    let pool = TestPool::with_source(&certificates, source, limits);
    for result in futures::future::join_all((0..10).map(|_| pool.get("/"))).await {
        assert_eq!(result.unwrap().1, "served");
    }
    assert_eq!(pool.counters.connect_failures.load(Relaxed), 0);
    assert_eq!(pool.counters.ejections.load(Relaxed), 0);
}

/// An address on which no process listens.
async fn unused_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn without_any_endpoint_a_request_fails_at_once_until_one_is_back() {
    let certificates = Certificates::issue();
    let endpoint = healthy(&certificates).await;
    let pool = TestPool::start(&certificates, &[&endpoint]);
    pool.wait_for(1).await;
    endpoint.kill().await;
    let began = Instant::now();
    for _ in 0..20 {
        let error = pool.post("/", "a").await.unwrap_err();
        assert!(
            matches!(error, UpstreamError::Unavailable | UpstreamError::Lost(_)),
            "{error}"
        );
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    // An ejected endpoint is used if there is no other.
    let _restarted = FakeEndpoint::start_at(endpoint.address, &certificates, |_| {
        Action::Respond(ok("restarted"))
    })
    .await;
    assert_eq!(pool.post("/", "a").await.unwrap().1, "restarted");
}

#[tokio::test]
async fn requests_succeed_if_one_of_three_endpoints_can_be_connected_to() {
    let certificates = Certificates::issue();
    let endpoint = healthy(&certificates).await;
    let entries = [
        unused_address().await,
        endpoint.address,
        unused_address().await,
    ];
    let entries = entries.map(|entry| entry.to_string().parse().unwrap());
    let source = Source::Fixed(entries.to_vec());
    let pool = TestPool::with_source(&certificates, source, UpstreamLimits::default());
    for _ in 0..20 {
        assert_eq!(pool.post("/", "a").await.unwrap().0, 200);
    }
    assert_eq!(endpoint.received().len(), 20);
}
