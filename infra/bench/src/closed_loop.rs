//! A closed loop of requests: each connection sends the next request when the response to the last one is there.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use http::Request;
use http::header;

use https_client::HttpsClient;

/// Time in which connections are opened and caches are filled; its responses do not count.
const WARM_UP: Duration = Duration::from_secs(1);

/// The responses of a load.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) name: String,
    connections: u32,
    /// In microseconds.
    pub(super) latencies: Histogram<u64>,
    pub(super) seconds: f64,
}

impl Load {
    /// Requests a path over `connections` connections for `span` after the warm-up.
    pub(super) async fn run(
        name: &str,
        client: &HttpsClient,
        path: &str,
        token: &str,
        connections: u32,
        span: Duration,
    ) -> anyhow::Result<Self> {
        let start = Instant::now() + WARM_UP;
        let loops = (0..connections).map(|_| repeat(client, path, token, start, span));
        let all = try_join_all(loops)
            .await
            .with_context(|| format!("{name} under load"))?;
        let mut latencies = empty()?;
        for each in all {
            latencies.add(each).context("latencies cannot be added")?;
        }
        let name = name.to_owned();
        Ok(Self {
            name,
            connections,
            latencies,
            seconds: span.as_secs_f64(),
        })
    }

    /// Number of connections, for a table.
    pub(super) fn connections(&self) -> String {
        match self.connections {
            1 => "1 connection".to_owned(),
            more => format!("{more} connections"),
        }
    }

    /// Responses per second.
    pub(super) fn rate(&self) -> f64 {
        u32::try_from(self.latencies.len()).map_or(f64::NAN, f64::from) / self.seconds
    }

    /// A percentile in milliseconds.
    pub(super) fn milliseconds(&self, percentile: f64) -> f64 {
        let micros = self.latencies.value_at_percentile(percentile);
        u32::try_from(micros).map_or(f64::NAN, f64::from) / 1000.0
    }
}

async fn repeat(
    client: &HttpsClient,
    path: &str,
    token: &str,
    start: Instant,
    span: Duration,
) -> anyhow::Result<Histogram<u64>> {
    let mut connection = client.connect().await?;
    let mut latencies = empty()?;
    while start.elapsed() < span {
        let request = Request::get(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Bytes::new())
            .context("the request cannot be made")?;
        let sent = Instant::now();
        let response = connection.send(request).await?;
        if !response.status().is_success() {
            bail!("{path} was refused: {}", response.status());
        }
        if sent >= start {
            let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
            latencies.saturating_record(micros);
        }
    }
    Ok(latencies)
}

fn empty() -> anyhow::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000, 3).context("a histogram cannot be made")
}
