//! Tests of the metrics.

use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::api_schema::RequestClass;
use crate::limits::Limits;

#[test]
fn every_metric_is_in_the_text() {
    let metrics = Metrics::new(["/fhir", "/fhir/{type}/{id}"]);
    metrics.on_response("/fhir", StatusCode::OK);
    metrics.on_response("/fhir", StatusCode::CREATED);
    metrics.on_response("/fhir/{type}/{id}", StatusCode::NOT_FOUND);
    metrics.on_refused("shed");
    let counters = Arc::<UpstreamCounters>::default();
    counters.retries.fetch_add(1, Relaxed);
    metrics.watch_endpoints(counters, || {
        let endpoint = |port, up| (format!("127.0.0.1:{port}"), up);
        vec![endpoint(9443, true), endpoint(9444, false)]
    });
    metrics.handshake().ended(Handshake::Done);
    drop(metrics.handshake());
    let reloads = |failing| Reloads {
        done: 3,
        failed: 2,
        failing,
    };
    metrics.watch_reloads("public certificate", move || reloads(false));
    metrics.watch_reloads("upstream identity", move || reloads(true));
    let admission = Admission::new(&Limits::default());
    let client = [192, 0, 2, 1].into();
    let _held = (
        admission.shedder.try_acquire(RequestClass::Bulk, client),
        admission.connections.try_acquire(client, 1),
        admission.open_streams.try_acquire(client, 2),
        admission.buffers.try_acquire(client, 3),
    );
    metrics.watch_admission(admission);
    let text = metrics.text();
    for line in [
        r#"web_requests_total{route="/fhir",status="2xx"} 2"#,
        r#"web_requests_total{route="/fhir/{type}/{id}",status="4xx"} 1"#,
        r#"web_requests_total{route="*",status="2xx"} 0"#,
        r#"web_refusals_total{reason="shed"} 1"#,
        r#"web_upstream_events_total{event="retry"} 1"#,
        r#"web_upstream_up{address="127.0.0.1:9443"} 1"#,
        r#"web_upstream_up{address="127.0.0.1:9444"} 0"#,
        r#"web_handshakes_total{outcome="done"} 1"#,
        r#"web_handshakes_total{outcome="unfinished"} 1"#,
        r#"web_reloads_total{what="public certificate",outcome="done"} 3"#,
        r#"web_reloads_total{what="upstream identity",outcome="failed"} 2"#,
        r#"web_reload_failing{what="public certificate"} 0"#,
        r#"web_reload_failing{what="upstream identity"} 1"#,
        r#"web_at_work{class="bulk"} 1"#,
        r#"web_at_work_limit{class="ordinary"} 1024"#,
        "web_connections 1",
        "web_open_streams 2",
        "web_buffer_bytes 3",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    // Parsers reject a metric with two descriptions.
    let descriptions = text.lines().filter(|line| line.starts_with("# TYPE"));
    let mut names: Vec<&str> = descriptions.collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn data_of_clients_creates_no_series() {
    let metrics = Metrics::new(["/fhir"]);
    let before = metrics.text().lines().count();
    for word in ["/fhir/Patient/1", "/..", "\"", "/a", "/b", ""] {
        for status in [100, 200, 404, 599, 700, 999] {
            metrics.on_response(word, StatusCode::from_u16(status).unwrap());
        }
    }
    let text = metrics.text();
    assert_eq!(text.lines().count(), before);
    assert!(text.contains(r#"web_requests_total{route="*",status="4xx"} 6"#));
}
