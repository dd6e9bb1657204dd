//! What a client is given, and what it is told when it wants more.

use std::time::Duration;

use anyhow::Context;
use anyhow::ensure;
use tests::Answer;
use tests::edge::Edge;
use tests::edge::HOST;
use tests::edge::Message;
use tests::edge::Plan;
use tests::edge::Wire;
use tokio::time;

const PAGE: &str = "/fhir/metadata";

async fn get(wire: &mut Wire, path: &str, fields: &str) -> anyhow::Result<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n");
    wire.send(request.as_bytes()).await?;
    Ok(wire.answer("GET").await?.1)
}

/// A number that a field's parameter has, such as the 59 of `"requests";r=59;t=1`.
fn parameter(answer: &Answer, field: &str, name: &str) -> anyhow::Result<u64> {
    let text = answer.header(field);
    let mut parameters = text.split(';');
    ensure!(parameters.next() == Some("\"requests\""), "{field}: {text}");
    let value = parameters.find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='));
    let value = value.with_context(|| format!("no {name} in {field}: {text}"))?;
    Ok(value.parse()?)
}

/// What the origin was asked for by clients.
fn asked(edge: &Edge) -> anyhow::Result<Vec<Message>> {
    let messages = edge.origin()?.take().messages;
    Ok(messages.into_iter().filter(|one| !one.is_check()).collect())
}

#[tokio::test]
async fn a_client_above_its_rate_limit_gets_429_and_the_time_to_wait() -> anyhow::Result<()> {
    let plan = Plan::of(1).variable("WEB_REQUESTS_PER_MINUTE", "60");
    let edge = plan.start().await?;
    edge.ready().await?;
    let mut wire = edge.connect().await?;
    let _ = asked(&edge)?;
    let mut served = 0;
    let refused = loop {
        let answer = get(&mut wire, PAGE, "").await?;
        ensure!(answer.header("ratelimit-policy") == "\"requests\";q=60;w=60");
        if answer.status == 429 {
            break answer;
        }
        served += 1;
        ensure!(answer.status == 200 && served <= 60, "{}", answer.status);
        ensure!(parameter(&answer, "ratelimit", "r")? < 60);
        ensure!(parameter(&answer, "ratelimit", "t")? <= 60);
    };
    ensure!(parameter(&refused, "ratelimit", "r")? == 0);
    let wait: u64 = refused.header("retry-after").parse()?;
    ensure!((1..=2).contains(&wait), "{wait} s");
    refused.issues()?;
    // Another connection is the same client.
    let mut other = edge.connect().await?;
    ensure!(get(&mut other, PAGE, "").await?.status == 429);
    ensure!(
        asked(&edge)?.len() == served,
        "a refused request reached the app"
    );
    time::sleep(Duration::from_secs(wait)).await;
    ensure!(get(&mut wire, PAGE, "").await?.status == 200);
    Ok(())
}

#[tokio::test]
async fn a_client_gets_no_more_connections_than_its_limit() -> anyhow::Result<()> {
    let plan = Plan::of(1).variable("WEB_CONNECTIONS_PER_CLIENT", "3");
    let edge = plan.start().await?;
    // The one that looked whether web is there may still be closing.
    let mut held = Vec::new();
    while held.len() < 3 {
        match edge.connect().await {
            Ok(wire) => held.push(wire),
            Err(_) => time::sleep(Duration::from_millis(20)).await,
        }
    }
    for wire in &mut held {
        ensure!(get(wire, "/healthz", "").await?.status == 200);
    }
    for _ in 0..5 {
        ensure!(edge.connect().await.is_err(), "one connection too many");
    }
    held.pop();
    let mut tries = 0;
    while edge.connect().await.is_err() {
        tries += 1;
        ensure!(
            tries < 100,
            "a place that was given back is not given again"
        );
        time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test]
async fn behind_a_load_balancer_each_client_is_counted_by_itself() -> anyhow::Result<()> {
    let plan = Plan::of(1)
        .variable("WEB_BALANCERS", "127.0.0.1")
        .variable("WEB_REQUESTS_PER_MINUTE", "10")
        .variable("WEB_CONNECTIONS_PER_CLIENT", "1");
    let edge = plan.start().await?;
    let mut wires = [edge.connect().await?, edge.connect().await?];
    let [one, other] = &mut wires;
    let _ = asked(&edge)?;
    let mine = "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Amzn-Trace-Id: Root=1-2-3\r\n";
    let mut served = 0;
    while get(one, PAGE, mine).await?.status == 200 {
        served += 1;
        ensure!(served <= 10, "{served} requests");
    }
    // What it writes to the left of its own address makes it nobody else.
    let disguised = "X-Forwarded-For: 198.51.100.1, 203.0.113.9\r\n";
    ensure!(get(one, PAGE, disguised).await?.status == 429);
    let theirs = "X-Forwarded-For: 6.6.6.6, 203.0.113.10\r\n";
    ensure!(get(other, PAGE, theirs).await?.status == 200);
    let asked = asked(&edge)?;
    ensure!(asked.len() == served + 1, "{} requests", asked.len());
    for message in asked.iter().take(served) {
        ensure!(message.values("x-forwarded-for") == ["203.0.113.9"]);
        ensure!(message.values("x-amzn-trace-id") == ["Root=1-2-3"]);
    }
    let last = asked.last().context("no request")?;
    ensure!(last.values("x-forwarded-for") == ["203.0.113.10"]);
    Ok(())
}

#[tokio::test]
async fn metrics_are_served_on_loopback_and_identify_no_person() -> anyhow::Result<()> {
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let plan = Plan::of(1).variable("WEB_METRICS_LISTEN", free.to_string());
    let edge = plan.start().await?;
    edge.ready().await?;
    let mut wire = edge.connect().await?;
    let patient = "0b7e6d3c-1c52-4d55-9a3f-5f0d6f6c1a11";
    ensure!(get(&mut wire, PAGE, "").await?.status == 200);
    get(&mut wire, &format!("/fhir/Patient/{patient}"), "").await?;
    get(&mut wire, "/no/such/page", "").await?;
    let mut scraper = Wire::plain(free.port()).await?;
    scraper
        .send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await?;
    let text = scraper.answer("GET").await?.1.text();
    let value = |series: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.and_then(|value| value.trim().parse::<u64>().ok())
    };
    ensure!(
        value(r#"web_requests_total{route="/fhir/metadata",status="2xx"}"#) == Some(1),
        "{text}"
    );
    ensure!(
        value(r#"web_requests_total{route="*",status="4xx"}"#) >= Some(1),
        "{text}"
    );
    ensure!(value("web_connections") >= Some(1), "{text}");
    ensure!(!text.contains(patient) && !text.contains("such"), "{text}");
    Ok(())
}
