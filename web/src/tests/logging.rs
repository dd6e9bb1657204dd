use std::cell::RefCell;
use std::io;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::stack::App;
use super::stack::Certificates;
use super::stack::Web;

thread_local! {
    /// What was logged on this thread, which is one test's own.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ToThread;

impl io::Write for ToThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_tells_what_happened_and_nothing_that_a_client_sent() {
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(|| ToThread))
        .with(Targets::new().with_targets([("web", tracing::Level::TRACE)]))
        .init();
    let certificates = Certificates::issue();
    let app = App::start(&certificates, "internal/app").await;
    let web = Web::start(&certificates, &[app.address]).await;
    web.get("/fhir/Patient?family=Archer").await;
    web.get("/patients/Archer").await;
    web.get("/patients/123-45-6789").await;
    web.ask("ARCHER /patients", "cookie: s=Archer\r\n", "")
        .await;
    web.ask(
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
        log.contains("/fhir/Patient/_search") && log.contains("route=\"*\""),
        "{log}"
    );
}
