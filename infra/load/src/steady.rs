//! Each request is due at a fixed time, from which its latency counts, so that a stall of the proxy is not hidden
//! (coordinated omission).

use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use http::Request;
use http::StatusCode;
use http::Uri;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::Client;
use crate::Protocol;

/// Latencies of responses.
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// A percentile in milliseconds.
    #[must_use]
    pub fn milliseconds(&self, percentile: f64) -> f64 {
        let micros = self.0.value_at_percentile(percentile);
        u32::try_from(micros).map_or(f64::NAN, f64::from) / 1000.0
    }
}

/// Sends `rate` requests per second.
///
/// # Errors
/// When a connection is lost or a response is not `200`.
pub async fn steady(client: Client, rate: f64, length: Duration) -> anyhow::Result<Latencies> {
    let protocol = client.protocol;
    let (connections, streams) = protocol.shape();
    let slots = f64::from(connections) * f64::from(streams);
    let mut senders = Vec::new();
    for _ in 0..connections {
        let sender = Sender::open(&client).await?;
        senders.extend(sender.shared(streams));
    }
    let first = Instant::now() + Duration::from_millis(100);
    let loops = (0_u16..).zip(senders).map(|(number, mut sender)| {
        let mut due = first + Duration::from_secs_f64(f64::from(number) / rate);
        let every = Duration::from_secs_f64(slots / rate);
        let client = &client;
        async move {
            let mut latencies = Histogram::new_with_bounds(1, 60_000_000, 3)
                .context("a histogram cannot be made")?;
            while due < first + length {
                let late = Instant::now() > due;
                tokio::time::sleep_until(due).await;
                let from = if late { due } else { Instant::now() };
                sender.ask(client).await?;
                // The first quarter fills caches and pools.
                if due > first + length / 4 {
                    let micros = u64::try_from(from.elapsed().as_micros()).unwrap_or(u64::MAX);
                    latencies.saturating_record(micros);
                }
                due += every;
            }
            anyhow::Ok(latencies)
        }
    });
    let all = try_join_all(loops).await?;
    let mut sum =
        Histogram::new_with_bounds(1, 60_000_000, 3).context("a histogram cannot be made")?;
    for latencies in all {
        sum.add(latencies).context("latencies cannot be added")?;
    }
    Ok(Latencies(sum))
}

enum Sender {
    One(http1::SendRequest<Empty<Bytes>>),
    Two(http2::SendRequest<Empty<Bytes>>),
}

impl Sender {
    async fn open(client: &Client) -> anyhow::Result<Self> {
        let io = TokioIo::new(client.connect().await?);
        match client.protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.context("no HTTP/1.1")?;
                tokio::spawn(connection);
                Ok(Self::One(sender))
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
                    .await
                    .context("no HTTP/2")?;
                tokio::spawn(connection);
                Ok(Self::Two(sender))
            }
        }
    }

    /// One for each of the requests that may be under way at a time.
    fn shared(self, streams: u16) -> Vec<Self> {
        match self {
            Self::One(sender) => vec![Self::One(sender)],
            Self::Two(sender) => (0..streams).map(|_| Self::Two(sender.clone())).collect(),
        }
    }

    async fn ask(&mut self, client: &Client) -> anyhow::Result<()> {
        let lost = "the connection was lost";
        let authority = client.authority();
        let response = match self {
            Self::One(sender) => {
                let request = Request::get(client.path)
                    .header(header::HOST, authority)
                    .body(Empty::new())
                    .context("the request cannot be made")?;
                sender.ready().await.context(lost)?;
                sender.send_request(request).await.context(lost)?
            }
            Self::Two(sender) => {
                let address = Uri::try_from(format!("https://{authority}{}", client.path))
                    .context("the address cannot be made")?;
                let request = Request::get(address)
                    .body(Empty::new())
                    .context("the request cannot be made")?;
                sender.ready().await.context(lost)?;
                sender.send_request(request).await.context(lost)?
            }
        };
        if response.status() != StatusCode::OK {
            bail!("the response is {}", response.status());
        }
        response
            .into_body()
            .collect()
            .await
            .context("the response was cut off")?;
        Ok(())
    }
}
