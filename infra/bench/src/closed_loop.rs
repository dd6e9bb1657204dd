//! Load on the front door: so many connections, each asking again as soon as it was answered, for a
//! few seconds.

use std::net::Ipv4Addr;
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

/// Answered but not counted: connections are made, caches filled.
const WARM_UP: Duration = Duration::from_secs(1);
const DURATION: Duration = Duration::from_secs(6);

/// The address of the first client, `127.0.1.1`; the next ones follow it.
const FIRST_CLIENT: u32 = 0x7F00_0101;

/// What a load came to.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) name: String,
    connections: u32,
    /// In microseconds.
    pub(super) latencies: Histogram<u64>,
    pub(super) seconds: f64,
}

impl Load {
    /// Asks for a path over and over.
    pub(super) async fn run(
        name: &str,
        door: &HttpsClient,
        path: &str,
        token: &str,
        connections: u32,
    ) -> anyhow::Result<Self> {
        let start = Instant::now() + WARM_UP;
        // Clients of their own: web bounds the requests of each.
        let clients = (0..connections).map(|number| Ipv4Addr::from_bits(FIRST_CLIENT + number));
        let loops = clients.map(|client| ask(door, client, path, token, start));
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
            seconds: DURATION.as_secs_f64(),
        })
    }

    /// How many connections, in words.
    pub(super) fn connections(&self) -> String {
        match self.connections {
            1 => "1 connection".to_owned(),
            more => format!("{more} connections"),
        }
    }

    /// Answers per second.
    pub(super) fn rate(&self) -> f64 {
        u32::try_from(self.latencies.len()).map_or(f64::NAN, f64::from) / self.seconds
    }

    /// A percentile in milliseconds.
    pub(super) fn milliseconds(&self, percentile: f64) -> f64 {
        let micros = self.latencies.value_at_percentile(percentile);
        u32::try_from(micros).map_or(f64::NAN, f64::from) / 1000.0
    }
}

async fn ask(
    door: &HttpsClient,
    client: Ipv4Addr,
    path: &str,
    token: &str,
    start: Instant,
) -> anyhow::Result<Histogram<u64>> {
    let mut connection = door.connect_from(client).await?;
    let mut latencies = empty()?;
    while start.elapsed() < DURATION {
        let request = Request::get(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Bytes::new())
            .context("the request cannot be made")?;
        let asked = Instant::now();
        let answer = connection.send(request).await?;
        if !answer.status().is_success() {
            bail!("answered {}", answer.status());
        }
        if asked >= start {
            let micros = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
            latencies.saturating_record(micros);
        }
    }
    Ok(latencies)
}

fn empty() -> anyhow::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000, 3).context("a histogram cannot be made")
}
