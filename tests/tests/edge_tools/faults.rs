//! Two apps, one behind a network that fails: the effect on clients.

use std::time::Duration;
use std::time::Instant;

use tests::Fault;
use tests::FaultProxy;
use tests::Load;
use tests::LoadReport;
use tests::edge::Action;
use tests::edge::encode_response;

use super::served::Executed;
use super::served::builder;
use super::served::free_port;
use super::served::front_door;
use super::served::metric;
use super::served::request;

/// The time from the beginning of a fault until clients must not notice it.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(2);

/// The time from the end of a fault until the app must receive requests again.
const READMISSION_TIMEOUT: Duration = Duration::from_secs(10);

/// The duration of a fault.
const FAULT_DURATION: Duration = Duration::from_secs(8);

/// The number of concurrent clients.
const CLIENTS: usize = 16;

/// The observations of a run with a fault.
struct FaultRun {
    executed: Executed,
    outcome: LoadReport,
    begun: Instant,
    ended: Instant,
    readmitted: Option<Duration>,
    /// The number of requests that web sent again: after a lost connection, after a failed connect,
    /// or as a hedge of a slow response.
    retries: u64,
}

/// Runs a load while the network of one of two apps fails for a while.
async fn run_with_fault(fault: Fault) -> FaultRun {
    let mut apps = [
        FaultProxy::start().await.unwrap(),
        FaultProxy::start().await.unwrap(),
    ];
    let ports = apps
        .each_ref()
        .map(|app| format!("127.0.0.1:{}", app.port()));
    let metrics = free_port();
    let edge = builder(2)
        .variable("WEB_UPSTREAMS", ports.join(","))
        .variable("WEB_METRICS_LISTEN", format!("127.0.0.1:{metrics}"))
        .start()
        .await
        .unwrap();
    for (app, origin) in apps.iter().zip(&edge.origins) {
        app.set_upstream(origin.port());
        origin.script(|_| Action::Respond(encode_response("200 OK", &[b'x'; 1024])));
    }
    edge.ready().await.unwrap();
    let pause = Duration::from_millis(10);
    let load = Load::start(front_door(&edge), CLIENTS, 100, pause, request);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut executed = Executed::default();
    let before = executed.add_new(&edge);
    assert!(before.iter().all(|requests| *requests > 0), "{before:?}");

    let begun = Instant::now();
    apps[0].set(fault).await.unwrap();
    tokio::time::sleep(FAULT_DURATION).await;
    apps[0].set(Fault::None).await.unwrap();
    let ended = Instant::now();
    // Requests that were delayed by the fault arrive first, and do not prove readmission.
    tokio::time::sleep(Duration::from_millis(500)).await;
    executed.add_new(&edge);
    let mut readmitted = None;
    while readmitted.is_none() && ended.elapsed() < READMISSION_TIMEOUT {
        tokio::time::sleep(Duration::from_millis(100)).await;
        readmitted = (executed.add_new(&edge)[0] > 0).then(|| ended.elapsed());
    }
    let outcome = load.stop().await.unwrap();
    executed.add_new(&edge);
    let mut retries = 0;
    for event in ["retry", "connect_failure"] {
        let name = format!("web_upstream_events_total{{event=\"{event}\"}}");
        retries += metric(metrics, &name).await;
    }
    FaultRun {
        executed,
        outcome,
        begun,
        ended,
        readmitted,
        retries,
    }
}

impl FaultRun {
    /// Asserts the promises of the upstream pool, and prints the measurements.
    fn assert_promises(&self, what: &str) {
        let during = self.outcome.since(self.begun).until(self.ended);
        let after = self.outcome.since(self.begun + NOTICE_TIMEOUT);
        let (repeated, requests) = self.executed.repeated();
        println!(
            "{what}: {} of {} failed in the first {NOTICE_TIMEOUT:?}, {} of {} later; p99 {:?}, before {:?}; readmitted \
             after {:?}; {repeated} of {requests} repeated; {} retries",
            during.failures.len().saturating_sub(after.failures.len()),
            during.responses.len(),
            after.failures.len(),
            after.responses.len(),
            during.percentile(99),
            self.outcome.until(self.begun).percentile(99),
            self.readmitted,
            self.retries,
        );
        assert!(after.responses.len() > 1000, "{}", after.responses.len());
        assert!(
            after.failures.len() * 1000 < after.responses.len(),
            "{:?}",
            after.failures.first()
        );
        assert!(
            self.readmitted.is_some(),
            "not readmitted within {READMISSION_TIMEOUT:?}"
        );
        self.assert_few_retries();
    }

    /// Fewer than one request in five is repeated, by web's count and by the apps' count, and never
    /// a `POST`.
    fn assert_few_retries(&self) {
        let (repeated, requests) = self.executed.repeated();
        assert!(repeated * 5 < requests, "{repeated} of {requests} repeated");
        let responses = u64::try_from(self.outcome.responses.len()).unwrap();
        assert!(self.retries * 5 < responses, "{} retries", self.retries);
        self.executed.assert_no_post_twice();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_hardly_notice_an_app_that_is_killed() {
    run_with_fault(Fault::Killed)
        .await
        .assert_promises("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_hardly_notice_an_app_that_is_blackholed() {
    run_with_fault(Fault::Blackhole)
        .await
        .assert_promises("blackholed");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_hardly_notice_an_app_that_is_slow() {
    run_with_fault(Fault::Delay(Duration::from_secs(1)))
        .await
        .assert_promises("slow");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_post_is_sent_twice_to_an_app_whose_connections_break() {
    let run = run_with_fault(Fault::ResetAfter(2000)).await;
    let failed = run.outcome.failures.len();
    println!("cut: {failed} failed, {} retries", run.retries);
    assert!(
        run.readmitted.is_some(),
        "not readmitted within {READMISSION_TIMEOUT:?}"
    );
    run.assert_few_retries();
}
