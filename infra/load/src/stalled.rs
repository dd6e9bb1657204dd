//! HTTP/2 streams without flow-control credit, which occupy a server.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures::future::join_all;
use h2::client::Builder;
use h2::client::SendRequest;
use http::Request;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

/// Interval of the PINGs of a stalled connection.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// An HTTP/2 connection that grants no flow-control credit for responses (an initial window of 0,
/// RFC 9113, 6.9.2), and sends PINGs: activity without progress.
#[derive(Clone, Debug)]
pub struct StalledConnection {
    client: SendRequest<Bytes>,
}

impl StalledConnection {
    /// Opens an HTTP/2 connection on a stream that negotiated `h2`.
    ///
    /// # Errors
    /// When the server ends the connection.
    pub async fn open(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (client, mut connection) = Builder::new()
            .initial_window_size(0)
            .handshake(stream)
            .await
            .context("the HTTP/2 connection cannot be opened")?;
        let mut pings = connection
            .ping_pong()
            .context("the PINGs of the connection are already in use")?;
        tokio::spawn(connection);
        tokio::spawn(async move {
            while pings.ping(h2::Ping::opaque()).await.is_ok() {
                tokio::time::sleep(PING_INTERVAL).await;
            }
        });
        Ok(Self { client })
    }

    /// Requests `uri` on a number of streams, and waits until the server ends them. Returns the
    /// number of those that it reset.
    pub async fn stall(self, uri: &str, streams: usize) -> usize {
        let ended = join_all((0..streams).map(|_| self.stall_one(uri))).await;
        ended.into_iter().filter(|reset| *reset).count()
    }

    async fn stall_one(&self, uri: &str) -> bool {
        let request = async {
            let request = Request::get(uri).body(()).ok()?;
            let mut client = self.client.clone().ready().await.ok()?;
            let (response, _) = client.send_request(request, true).ok()?;
            let mut body = response.await.ok()?.into_body();
            // Without credit there is no data.
            Some(matches!(body.data().await, Some(Err(_))))
        };
        request.await == Some(true)
    }
}
