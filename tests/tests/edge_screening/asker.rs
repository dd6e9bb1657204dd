//! Who asks, and finds out whether the app heard of it.

use anyhow::Context;
use tests::edge::Edge;
use tests::edge::Wire;

/// Asks on one connection for as long as the edge keeps it.
pub(super) struct Asker<'a> {
    edge: &'a Edge,
    wire: Option<Wire>,
}

impl<'a> Asker<'a> {
    /// Has not asked yet.
    pub(super) fn of(edge: &'a Edge) -> Self {
        Self { edge, wire: None }
    }

    /// The status that is answered.
    async fn status(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        if let Some(wire) = self.wire.take()
            && let Ok(status) = self.on(wire, request).await
        {
            return Ok(status);
        }
        // What came before may have ended the connection.
        let wire = self.edge.connect().await?;
        self.on(wire, request).await
    }

    async fn on(&mut self, mut wire: Wire, request: &[u8]) -> anyhow::Result<u16> {
        // The edge may have answered before it was told all.
        let _ = wire.send(request).await;
        let method = String::from_utf8_lossy(request);
        let method = method.split(' ').next().unwrap_or_default();
        let (_, answer) = wire.answer(method).await?;
        if answer.header("connection") != "close" {
            self.wire = Some(wire);
        }
        Ok(answer.status.as_u16())
    }

    /// Whether a request is refused, and nothing of it came to the app.
    pub(super) async fn is_refused(&mut self, request: &[u8]) -> anyhow::Result<bool> {
        let shown = || String::from_utf8_lossy(request).into_owned();
        let status = self.status(request).await.with_context(shown)?;
        if (400..500).contains(&status) {
            let heard = self.edge.origin()?.take();
            anyhow::ensure!(heard.is_nothing(), "the app heard of {}", shown());
            return Ok(true);
        }
        anyhow::ensure!(status == 200, "{status} for {}", shown());
        Ok(false)
    }
}
