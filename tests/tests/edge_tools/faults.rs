//! Two apps, and a network to one of them that fails: what clients notice of it.

use std::time::Duration;
use std::time::Instant;

use tests::Fault;
use tests::FaultProxy;
use tests::Load;
use tests::Outcome;
use tests::edge::Act;
use tests::edge::answer;

use super::served::Executed;
use super::served::free_port;
use super::served::front_door;
use super::served::metric;
use super::served::plan;
use super::served::request;

/// From the fault's beginning, until it may not be noticed any more.
const NOTICED: Duration = Duration::from_secs(2);

/// From the fault's end, until the app has to be asked again.
const READMITTED: Duration = Duration::from_secs(10);

/// How long a fault lasts.
const LASTS: Duration = Duration::from_secs(8);

/// Clients at once.
const CLIENTS: usize = 16;

/// What came of a fault.
struct Seen {
    executed: Executed,
    outcome: Outcome,
    begun: Instant,
    ended: Instant,
    readmitted: Option<Duration>,
    /// How often the edge asked a second time: after a lost connection, after one that could not be
    /// made, or because an app took long.
    retries: u64,
}

/// Lets one of two apps be away for a while, under load.
async fn suffer(fault: Fault) -> Seen {
    let mut apps = [
        FaultProxy::start().await.unwrap(),
        FaultProxy::start().await.unwrap(),
    ];
    let ports = apps
        .each_ref()
        .map(|app| format!("127.0.0.1:{}", app.port()));
    let metrics = free_port();
    let edge = plan(2)
        .variable("WEB_UPSTREAMS", ports.join(","))
        .variable("WEB_METRICS_LISTEN", format!("127.0.0.1:{metrics}"))
        .start()
        .await
        .unwrap();
    for (app, origin) in apps.iter().zip(&edge.origins) {
        app.lead_to(origin.port());
        origin.script(|_| Act::Answer(answer("200 OK", &[b'x'; 1024])));
    }
    edge.ready().await.unwrap();
    let pause = Duration::from_millis(10);
    let load = Load::start(front_door(&edge), CLIENTS, 100, pause, request);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut executed = Executed::default();
    let before = executed.more(&edge);
    assert!(before.iter().all(|requests| *requests > 0), "{before:?}");

    let begun = Instant::now();
    apps[0].set(fault).await.unwrap();
    tokio::time::sleep(LASTS).await;
    apps[0].set(Fault::None).await.unwrap();
    let ended = Instant::now();
    // What was on its way when the fault ended arrives first, and proves nothing.
    tokio::time::sleep(Duration::from_millis(500)).await;
    executed.more(&edge);
    let mut readmitted = None;
    while readmitted.is_none() && ended.elapsed() < READMITTED {
        tokio::time::sleep(Duration::from_millis(100)).await;
        readmitted = (executed.more(&edge)[0] > 0).then(|| ended.elapsed());
    }
    let outcome = load.stop().await.unwrap();
    executed.more(&edge);
    let mut retries = 0;
    for event in ["retry", "connect_failure"] {
        let name = format!("web_upstream_events_total{{event=\"{event}\"}}");
        retries += metric(metrics, &name).await;
    }
    Seen {
        executed,
        outcome,
        begun,
        ended,
        readmitted,
        retries,
    }
}

impl Seen {
    /// What the issue asks for, with the figures that it is judged by.
    fn judge(&self, what: &str) {
        let during = self.outcome.since(self.begun).until(self.ended);
        let after = self.outcome.since(self.begun + NOTICED);
        let (repeated, requests) = self.executed.repeated();
        println!(
            "{what}: {} of {} failed in the first {NOTICED:?}, {} of {} later; p99 {:?}, before {:?}; asked again \
             after {:?}; {repeated} of {requests} repeated; {} retries",
            during.failures.len().saturating_sub(after.failures.len()),
            during.answers.len(),
            after.failures.len(),
            after.answers.len(),
            during.percentile(99),
            self.outcome.until(self.begun).percentile(99),
            self.readmitted,
            self.retries,
        );
        assert!(after.answers.len() > 1000, "{}", after.answers.len());
        assert!(
            after.failures.len() * 1000 < after.answers.len(),
            "{:?}",
            after.failures.first()
        );
        assert!(
            self.readmitted.is_some(),
            "not asked again within {READMITTED:?}"
        );
        self.assert_few_retries();
    }

    /// Fewer than one in five, counted by the edge as well as by the apps; and never a `POST`.
    fn assert_few_retries(&self) {
        let (repeated, requests) = self.executed.repeated();
        assert!(repeated * 5 < requests, "{repeated} of {requests} repeated");
        let answers = u64::try_from(self.outcome.answers.len()).unwrap();
        assert!(self.retries * 5 < answers, "{} retries", self.retries);
        self.executed.assert_no_post_twice();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_killed_is_hardly_missed() {
    suffer(Fault::Killed).await.judge("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_blackholed_is_hardly_missed() {
    suffer(Fault::Blackhole).await.judge("blackholed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_slow_is_hardly_missed() {
    suffer(Fault::Slow(Duration::from_secs(1)))
        .await
        .judge("slow");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_connections_break_midway_is_never_sent_a_post_twice() {
    let seen = suffer(Fault::Cut(2000)).await;
    let failed = seen.outcome.failures.len();
    println!("cut: {failed} failed, {} retries", seen.retries);
    assert!(
        seen.readmitted.is_some(),
        "not asked again within {READMITTED:?}"
    );
    seen.assert_few_retries();
}
