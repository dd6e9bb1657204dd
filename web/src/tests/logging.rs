use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::{filter::Targets, fmt::MakeWriter, layer::SubscriberExt};

use super::stack::{App, Certificates, Web};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_tells_what_happened_and_nothing_that_a_client_sent() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(lines.clone()))
        .with(Targets::new().with_targets([("web", tracing::Level::TRACE)]));
    let _default = tracing::subscriber::set_default(subscriber);
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
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.lines().count(), 5, "{log}");
    assert!(
        !log.to_lowercase().contains("archer") && !log.contains("123-45"),
        "{log}"
    );
    assert!(
        log.contains("/fhir/Patient/_search") && log.contains("/patients/*"),
        "{log}"
    );
}
