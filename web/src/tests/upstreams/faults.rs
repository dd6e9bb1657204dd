//! Several apps, of which some fail.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio::time::sleep;

use super::fake::Apps;
use super::fake::Fake;
use super::fake::Then;
use super::fake::ok;
use crate::limits::UpstreamLimits;
use crate::tests::stack::Certificates;
use crate::upstream::UpstreamError;

async fn well(certificates: &Certificates) -> Fake {
    Fake::start(certificates, |_| Then::Answer(ok("well"))).await
}

/// Sixteen clients that ask again and again, until told to stop.
struct Load {
    tasks: Vec<tokio::task::JoinHandle<(usize, Vec<String>)>>,
    asked: Arc<AtomicUsize>,
    stop: tokio_util::sync::CancellationToken,
}

impl Load {
    fn start(apps: &Apps) -> Self {
        let (asked, stop) = (
            Arc::<AtomicUsize>::default(),
            tokio_util::sync::CancellationToken::new(),
        );
        let client = |_| {
            let (apps, asked, stop) = (apps.clone(), Arc::clone(&asked), stop.clone());
            tokio::spawn(async move {
                let (mut requests, mut errors) = (0, Vec::new());
                while !stop.is_cancelled() {
                    requests += 1;
                    asked.fetch_add(1, Relaxed);
                    if let Err(error) = apps.get("/").await {
                        errors.push(error.to_string());
                    }
                    sleep(Duration::from_millis(2)).await;
                }
                (requests, errors)
            })
        };
        let tasks = (0..16).map(client).collect();
        Self { tasks, asked, stop }
    }

    /// Requests, and what went wrong.
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

fn resent(apps: &Apps) -> usize {
    usize::try_from(apps.counters.retries.load(Relaxed)).unwrap()
}

#[tokio::test]
async fn a_killed_app_is_noticed_by_nobody_and_is_back_within_ten_seconds() {
    let certificates = Certificates::issue();
    let (first, second) = (well(&certificates).await, well(&certificates).await);
    let apps = Apps::start(&certificates, &[&first, &second]);
    apps.wait_for(2).await;
    let load = Load::start(&apps);
    sleep(Duration::from_millis(300)).await;
    first.kill().await;
    apps.wait_for(1).await;
    sleep(Duration::from_millis(500)).await;
    let again = Fake::start_at(first.address, &certificates, |_| Then::Answer(ok("again"))).await;
    apps.wait_for(2).await;
    sleep(Duration::from_millis(500)).await;
    let (requests, errors) = load.end().await;
    assert!(errors.is_empty(), "{errors:?}");
    assert!(!again.got().is_empty());
    assert!(
        resent(&apps) * 5 < requests,
        "{} of {requests}",
        resent(&apps)
    );
}

#[tokio::test]
async fn a_blackholed_app_is_noticed_by_nobody_and_is_back_within_ten_seconds() {
    let certificates = Certificates::issue();
    let (first, second) = (well(&certificates).await, well(&certificates).await);
    let apps = Apps::start(&certificates, &[&first, &second]);
    apps.wait_for(2).await;
    let load = Load::start(&apps);
    sleep(Duration::from_millis(300)).await;
    first.blackholed.store(true, Relaxed);
    apps.wait_for(1).await;
    let got = first.got().len();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(first.got().len(), got);
    first.blackholed.store(false, Relaxed);
    apps.wait_for(2).await;
    sleep(Duration::from_millis(500)).await;
    let (requests, errors) = load.end().await;
    assert!(errors.is_empty(), "{errors:?}");
    assert!(first.got().len() > got);
    let resent = resent(&apps);
    assert!(
        resent > 0 && resent * 5 < requests,
        "{resent} of {requests}"
    );
}

#[tokio::test]
async fn a_slow_app_gets_the_smaller_part() {
    let certificates = Certificates::issue();
    let slow = Fake::start(&certificates, |_| {
        Then::Later(Duration::from_millis(300), ok("slow"))
    })
    .await;
    let fast = well(&certificates).await;
    let apps = Apps::start(&certificates, &[&slow, &fast]);
    apps.wait_for(2).await;
    let load = Load::start(&apps);
    while load.asked.load(Relaxed) < 1000 {
        sleep(Duration::from_millis(20)).await;
    }
    let (_, errors) = load.end().await;
    assert!(errors.is_empty(), "{errors:?}");
    let (slow, fast) = (slow.got().len(), fast.got().len());
    assert!(slow * 5 < fast, "{slow} and {fast}");
}

#[tokio::test]
async fn what_changes_something_is_never_sent_twice() {
    let certificates = Certificates::issue();
    // Each answers the first of a connection, and closes upon the second.
    let rude = |got: &super::fake::Got| {
        if got.nth == 0 {
            Then::Answer(ok("well"))
        } else {
            Then::Close
        }
    };
    let (first, second) = (
        Fake::start(&certificates, rude).await,
        Fake::start(&certificates, rude).await,
    );
    let limits = UpstreamLimits {
        // Its own questions would use the connections up.
        probe_interval: Duration::from_mins(1),
        ..UpstreamLimits::default()
    };
    let apps = Apps::with(&certificates, &[&first, &second], limits);
    apps.wait_for(2).await;
    let mut lost = 0;
    for number in 0..40 {
        match apps.post("/", &format!("<{number}>")).await {
            Ok((status, _)) => assert_eq!(status, 200),
            Err(error) => {
                assert!(matches!(error, UpstreamError::Lost(_)), "{error}");
                lost += 1;
            }
        }
    }
    assert!(lost > 0);
    let mut times = HashMap::new();
    for got in first.got().iter().chain(&second.got()) {
        *times.entry(got.body.clone()).or_insert(0) += 1;
    }
    assert_eq!(times.len(), 40);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    // What changes nothing is sent again where it can do no harm.
    for _ in 0..20 {
        assert_eq!(apps.get("/").await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn a_connection_that_the_app_has_closed_is_not_used_again() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |_| Then::Last(ok("well"))).await;
    let apps = Apps::start(&certificates, &[&app]);
    for number in 0..20 {
        // It has had the time to be noticed, as between any two requests of a pool.
        sleep(Duration::from_millis(10)).await;
        assert_eq!(
            apps.post("/", &number.to_string()).await.unwrap().0,
            200,
            "{number}"
        );
    }
    assert_eq!(app.got().len(), 20);
}

#[tokio::test]
async fn an_app_that_is_not_ready_is_not_asked_unless_none_is() {
    let certificates = Certificates::issue();
    let (first, second) = (well(&certificates).await, well(&certificates).await);
    let apps = Apps::start(&certificates, &[&first, &second]);
    apps.wait_for(2).await;
    first.unready.store(true, Relaxed);
    apps.wait_for(1).await;
    for _ in 0..20 {
        assert_eq!(apps.get("/").await.unwrap().0, 200);
    }
    assert!(first.got().is_empty());
    second.unready.store(true, Relaxed);
    apps.wait_for(0).await;
    assert_eq!(apps.get("/").await.unwrap().0, 200);
    first.unready.store(false, Relaxed);
    apps.wait_for(1).await;
    let before = first.got().len();
    assert_eq!(apps.get("/").await.unwrap().0, 200);
    assert_eq!(first.got().len(), before + 1);
}

async fn away() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn with_all_apps_away_there_is_an_error_at_once_and_with_one_back_an_answer() {
    let certificates = Certificates::issue();
    let app = well(&certificates).await;
    let apps = Apps::start(&certificates, &[&app]);
    apps.wait_for(1).await;
    app.kill().await;
    let began = Instant::now();
    for _ in 0..20 {
        let error = apps.post("/", "a").await.unwrap_err();
        assert!(
            matches!(error, UpstreamError::Unavailable | UpstreamError::Lost(_)),
            "{error}"
        );
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    // Ejected as it is, it is asked when there is no other.
    let _again = Fake::start_at(app.address, &certificates, |_| Then::Answer(ok("again"))).await;
    assert_eq!(apps.post("/", "a").await.unwrap().1, "again");
}

#[tokio::test]
async fn an_app_that_can_t_be_connected_to_costs_nobody_an_answer() {
    let certificates = Certificates::issue();
    let app = well(&certificates).await;
    let entries = [away().await, app.address, away().await];
    let entries = entries.map(|entry| entry.to_string().parse().unwrap());
    let source = crate::upstream::Source::Fixed(entries.to_vec());
    let apps = Apps::of(&certificates, source, UpstreamLimits::default());
    for _ in 0..20 {
        assert_eq!(apps.post("/", "a").await.unwrap().0, 200);
    }
}
