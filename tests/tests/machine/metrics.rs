//! Metrics that somebody watches are metrics that the real web shows.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use tests::edge::Plan;
use tests::edge::Wire;

use super::truth::machine;
use super::truth::template;

/// What web shows after a request that it refused.
async fn shown() -> String {
    let plan = Plan::of(1).variable("WEB_METRICS_LISTEN", "127.0.0.1:19100");
    let edge = plan.start().await.unwrap();
    edge.ready().await.unwrap();
    let mut wire = edge.connect().await.unwrap();
    let refused = b"GET /nowhere HTTP/1.1\r\nHost: clinic.example\r\n\r\n";
    wire.send(refused).await.unwrap();
    wire.answer("GET").await.unwrap();
    let mut wire = Wire::plain(19100).await.unwrap();
    let asked = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    wire.send(asked).await.unwrap();
    let (_, answer) = wire.answer("GET").await.unwrap();
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// The metrics that the agent hands on, each with its dimensions. The first is the agent's own, the job.
fn handed_on() -> BTreeMap<String, Vec<String>> {
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
async fn every_metric_that_the_agent_hands_on_is_one_that_web_shows() {
    let shown = shown().await;
    for (metric, labels) in handed_on() {
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
            "web shows no {metric} by {labels:?}:\n{shown}"
        );
    }
    alarms_watch_what_is(&shown);
}

/// Each alarm on a metric of web's names one that is handed on, by its dimensions and values that they can have.
fn alarms_watch_what_is(shown: &str) {
    let root = tools::workspace::root().unwrap();
    let reasons = fs::read_to_string(root.join("web/src/problem/reason.rs")).unwrap();
    let handed_on = handed_on();
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
        assert_eq!(labels, handed_on[alarm.lines().next().unwrap()], "{alarm}");
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
