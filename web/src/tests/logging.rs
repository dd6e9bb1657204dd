//! Tests of the log of a whole edge.

use std::cell::RefCell;
use std::io;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::stack::Certificates;
use super::stack::FakeApp;
use super::stack::TestEdge;

thread_local! {
    /// The log of this thread, which runs only one test.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A writer to the log of the current thread.
struct ThreadLog;

impl io::Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_every_request_and_no_data_of_a_client() {
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(|| ThreadLog))
        .with(Targets::new().with_targets([("web", tracing::Level::TRACE)]))
        .init();
    let certificates = Certificates::issue();
    let app = FakeApp::start(&certificates, "internal/app").await;
    let web = TestEdge::start(&certificates, &[app.address]).await;
    web.get("/fhir/Patient?family=Archer").await;
    web.get("/patients/Archer").await;
    web.get("/patients/123-45-6789").await;
    web.request("ARCHER /patients", "cookie: s=Archer\r\n", "")
        .await;
    web.request(
        "POST /fhir/Patient/_search",
        "x-name: Archer\r\n",
        "family=Archer",
    )
    .await;
    let log = String::from_utf8(LOGGED.take()).unwrap();
    assert_eq!(log.lines().count(), 5, "{log}");
    assert!(
        !log.to_lowercase().contains("archer") && !log.contains("123-45"),
        "{log}"
    );
    assert!(
        log.contains("/fhir/{type}/_search") && log.contains("route=\"*\""),
        "{log}"
    );
}
