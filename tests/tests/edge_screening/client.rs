//! A client that checks whether the app received its requests.

use anyhow::Context;
use tests::edge::Edge;
use tests::edge::RawConnection;

/// Sends requests on one connection for as long as web keeps it.
pub(super) struct ScreeningClient<'a> {
    edge: &'a Edge,
    connection: Option<RawConnection>,
}

impl<'a> ScreeningClient<'a> {
    /// A client without a connection yet.
    pub(super) fn new(edge: &'a Edge) -> Self {
        Self {
            edge,
            connection: None,
        }
    }

    /// The status of the response.
    async fn status(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        if let Some(connection) = self.connection.take()
            && let Ok(status) = self.on(connection, request).await
        {
            return Ok(status);
        }
        // The previous response may have ended the connection.
        let connection = self.edge.connect().await?;
        self.on(connection, request).await
    }

    async fn on(&mut self, mut connection: RawConnection, request: &[u8]) -> anyhow::Result<u16> {
        // Web may respond before it has read everything.
        let _ = connection.send(request).await;
        let method = String::from_utf8_lossy(request);
        let method = method.split(' ').next().unwrap_or_default();
        let (_, response) = connection.response(method).await?;
        if response.header("connection") != "close" {
            self.connection = Some(connection);
        }
        Ok(response.status.as_u16())
    }

    /// Whether a request is refused; if it is, the app must have received nothing of it.
    pub(super) async fn is_refused(&mut self, request: &[u8]) -> anyhow::Result<bool> {
        let shown = || String::from_utf8_lossy(request).into_owned();
        let status = self.status(request).await.with_context(shown)?;
        if (400..500).contains(&status) {
            let received = self.edge.origin()?.take_record();
            anyhow::ensure!(received.is_empty(), "the app received {}", shown());
            return Ok(true);
        }
        anyhow::ensure!(status == 200, "{status} for {}", shown());
        Ok(false)
    }
}
