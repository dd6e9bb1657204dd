//! The limits of a client, and the responses above them.

use std::time::Duration;

use anyhow::Context;
use anyhow::ensure;
use tests::TestResponse;
use tests::edge::Edge;
use tests::edge::EdgeBuilder;
use tests::edge::HOST;
use tests::edge::Message;
use tests::edge::RawConnection;
use tokio::time;

const PAGE: &str = "/fhir/metadata";

async fn get(
    connection: &mut RawConnection,
    path: &str,
    fields: &str,
) -> anyhow::Result<TestResponse> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n");
    connection.send(request.as_bytes()).await?;
    Ok(connection.response("GET").await?.1)
}

/// A parameter of a `RateLimit` field, such as 59 for `r` in `"requests";r=59;t=1`.
fn parameter(response: &TestResponse, field: &str, name: &str) -> anyhow::Result<u64> {
    let text = response.header(field);
    let mut parameters = text.split(';');
    ensure!(parameters.next() == Some("\"requests\""), "{field}: {text}");
    let value = parameters.find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='));
    let value = value.with_context(|| format!("no {name} in {field}: {text}"))?;
    Ok(value.parse()?)
}

/// The requests of clients that the origin received.
fn received_requests(edge: &Edge) -> anyhow::Result<Vec<Message>> {
    let messages = edge.origin()?.take_record().messages;
    Ok(messages
        .into_iter()
        .filter(|one| !one.is_readiness_probe())
        .collect())
}

#[tokio::test]
async fn a_client_above_its_rate_limit_gets_429_and_the_time_to_wait() -> anyhow::Result<()> {
    let builder = EdgeBuilder::with_origins(1).variable("WEB_REQUESTS_PER_MINUTE", "60");
    let edge = builder.start().await?;
    edge.ready().await?;
    let mut connection = edge.connect().await?;
    let _ = received_requests(&edge)?;
    let mut served = 0;
    let refused = loop {
        let response = get(&mut connection, PAGE, "").await?;
        ensure!(response.header("ratelimit-policy") == "\"requests\";q=60;w=60");
        if response.status == 429 {
            break response;
        }
        served += 1;
        ensure!(
            response.status == 200 && served <= 60,
            "{}",
            response.status
        );
        ensure!(parameter(&response, "ratelimit", "r")? < 60);
        ensure!(parameter(&response, "ratelimit", "t")? <= 60);
    };
    ensure!(parameter(&refused, "ratelimit", "r")? == 0);
    let wait: u64 = refused.header("retry-after").parse()?;
    ensure!((1..=2).contains(&wait), "{wait} s");
    refused.issues()?;
    // Another connection belongs to the same client.
    let mut other = edge.connect().await?;
    ensure!(get(&mut other, PAGE, "").await?.status == 429);
    ensure!(
        received_requests(&edge)?.len() == served,
        "a refused request reached the app"
    );
    time::sleep(Duration::from_secs(wait)).await;
    ensure!(get(&mut connection, PAGE, "").await?.status == 200);
    Ok(())
}

#[tokio::test]
async fn a_client_gets_no_more_connections_than_its_limit() -> anyhow::Result<()> {
    let builder = EdgeBuilder::with_origins(1).variable("WEB_CONNECTIONS_PER_CLIENT", "3");
    let edge = builder.start().await?;
    // The connection that waited for web to listen may still be closing.
    let mut held = Vec::new();
    while held.len() < 3 {
        match edge.connect().await {
            Ok(connection) => held.push(connection),
            Err(_) => time::sleep(Duration::from_millis(20)).await,
        }
    }
    for connection in &mut held {
        ensure!(get(connection, "/healthz", "").await?.status == 200);
    }
    for _ in 0..5 {
        ensure!(edge.connect().await.is_err(), "one connection too many");
    }
    held.pop();
    let mut tries = 0;
    while edge.connect().await.is_err() {
        tries += 1;
        ensure!(tries < 100, "a closed connection still counts");
        time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test]
async fn behind_a_load_balancer_each_client_has_its_own_limits() -> anyhow::Result<()> {
    let builder = EdgeBuilder::with_origins(1)
        .variable("WEB_BALANCERS", "127.0.0.1")
        .variable("WEB_REQUESTS_PER_MINUTE", "10")
        .variable("WEB_CONNECTIONS_PER_CLIENT", "1");
    let edge = builder.start().await?;
    let mut connections = [edge.connect().await?, edge.connect().await?];
    let [one, other] = &mut connections;
    let _ = received_requests(&edge)?;
    let mine = "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Amzn-Trace-Id: Root=1-2-3\r\n";
    let mut served = 0;
    while get(one, PAGE, mine).await?.status == 200 {
        served += 1;
        ensure!(served <= 10, "{served} requests");
    }
    // Addresses to the left of its own do not make it another client.
    let disguised = "X-Forwarded-For: 198.51.100.1, 203.0.113.9\r\n";
    ensure!(get(one, PAGE, disguised).await?.status == 429);
    let theirs = "X-Forwarded-For: 6.6.6.6, 203.0.113.10\r\n";
    ensure!(get(other, PAGE, theirs).await?.status == 200);
    let received = received_requests(&edge)?;
    ensure!(received.len() == served + 1, "{} requests", received.len());
    for message in received.iter().take(served) {
        ensure!(message.values("x-forwarded-for") == ["203.0.113.9"]);
        ensure!(message.values("x-amzn-trace-id") == ["Root=1-2-3"]);
    }
    let last = received.last().context("no request")?;
    ensure!(last.values("x-forwarded-for") == ["203.0.113.10"]);
    Ok(())
}

#[tokio::test]
async fn metrics_are_served_on_loopback_and_identify_no_person() -> anyhow::Result<()> {
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let builder = EdgeBuilder::with_origins(1).variable("WEB_METRICS_LISTEN", free.to_string());
    let edge = builder.start().await?;
    edge.ready().await?;
    let mut connection = edge.connect().await?;
    let patient = "0b7e6d3c-1c52-4d55-9a3f-5f0d6f6c1a11";
    ensure!(get(&mut connection, PAGE, "").await?.status == 200);
    get(&mut connection, &format!("/fhir/Patient/{patient}"), "").await?;
    get(&mut connection, "/no/such/page", "").await?;
    let mut scraper = RawConnection::plaintext(free.port()).await?;
    scraper
        .send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await?;
    let text = scraper.response("GET").await?.1.text();
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
