//! Metrics that are collected or watched exist in the real web.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use tests::edge::EdgeBuilder;
use tests::edge::RawConnection;

use super::settings::machine;
use super::settings::template;

/// The metrics of web after a refused request.
async fn shown() -> String {
    let builder = EdgeBuilder::with_origins(1).variable("WEB_METRICS_LISTEN", "127.0.0.1:19100");
    let edge = builder.start().await.unwrap();
    edge.ready().await.unwrap();
    let mut connection = edge.connect().await.unwrap();
    let refused = b"GET /nowhere HTTP/1.1\r\nHost: clinic.example\r\n\r\n";
    connection.send(refused).await.unwrap();
    connection.response("GET").await.unwrap();
    let mut connection = RawConnection::plaintext(19100).await.unwrap();
    let scrape = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    connection.send(scrape).await.unwrap();
    let (_, response) = connection.response("GET").await.unwrap();
    String::from_utf8(response.body.to_vec()).unwrap()
}

/// The metrics that the CloudWatch agent forwards, each with its dimensions. The first dimension is
/// the agent's own `job`.
fn forwarded_metrics() -> BTreeMap<String, Vec<String>> {
    let agent: Value = serde_json::from_str(&machine("agent/web.json")).unwrap();
    let processor = &agent["logs"]["metrics_collected"]["prometheus"]["emf_processor"];
    let mut all = BTreeMap::new();
    for declaration in processor["metric_declaration"].as_array().unwrap() {
        let labels = declaration["dimensions"][0].as_array().unwrap();
        let labels: Vec<String> = labels
            .iter()
            .map(|label| label.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(labels[0], "job");
        for selector in declaration["metric_selectors"].as_array().unwrap() {
            let metric = selector.as_str().unwrap().trim_matches(['^', '$']);
            all.insert(metric.to_owned(), labels.clone());
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_that_the_agent_forwards_exists_in_web() {
    let shown = shown().await;
    for (metric, labels) in forwarded_metrics() {
        let is_it = |line: &str| {
            let rest = line.strip_prefix(&metric);
            let named = rest.is_some_and(|rest| rest.starts_with(['{', ' ']));
            named
                && labels[1..]
                    .iter()
                    .all(|label| line.contains(&format!("{label}=\"")))
        };
        assert!(
            shown.lines().any(is_it),
            "web has no {metric} by {labels:?}:\n{shown}"
        );
    }
    assert_alarms_watch_existing_metrics(&shown);
}

/// Asserts that each alarm on a metric of web names a forwarded one, with its dimensions and
/// possible values.
fn assert_alarms_watch_existing_metrics(shown: &str) {
    let root = tools::workspace::root().unwrap();
    let reasons = fs::read_to_string(root.join("web/src/problem/reason.rs")).unwrap();
    let forwarded_metrics = forwarded_metrics();
    let monitoring = template("monitoring.yaml");
    let parts = monitoring.split("\n      MetricName: ").skip(1);
    let watched: Vec<&str> = parts.filter(|part| part.starts_with("web_")).collect();
    assert!(!watched.is_empty(), "no alarm watches web");
    for part in watched {
        let alarm = part.split("\n\n").next().unwrap();
        let all = |field: &str| -> Vec<&str> {
            alarm
                .lines()
                .filter_map(|line| line.trim().strip_prefix(field))
                .collect()
        };
        let (labels, values) = (all("- Name: "), all("Value: "));
        assert_eq!(
            labels,
            forwarded_metrics[alarm.lines().next().unwrap()],
            "{alarm}"
        );
        assert_eq!(values[0], "web");
        for (label, value) in labels.iter().zip(&values).skip(1) {
            let known = shown.contains(&format!("{label}=\"{value}\""));
            assert!(
                known || reasons.contains(&format!("\"{value}\"")),
                "no metric has {label} {value}"
            );
        }
    }
}
