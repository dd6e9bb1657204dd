//! An edge apart: the real `web` with recording origins in the app's place, for what only the edge
//! has to show. It needs no database and no app, and is up in a moment.

mod certificates;
mod message;
mod origin;
mod peers;
mod record;
mod web;
mod wire;

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

pub use certificates::Certificates;
pub use message::Message;
pub use origin::Act;
pub use origin::Origin;
pub use origin::answer;
pub use peers::Peer;
pub use peers::PeerError;
pub use record::Seen;
pub use web::Web;
pub use wire::Rest;
pub use wire::Wire;
pub use wire::connect_from;

/// The host that an edge apart serves unless it is told otherwise.
pub const HOST: &str = "clinic.example";

/// How long web may take to be ready.
const START: Duration = Duration::from_secs(30);

/// How an edge apart is set up.
#[derive(Debug)]
pub struct Plan {
    origins: usize,
    host: String,
    variables: Vec<(String, OsString)>,
}

/// The edge and what stands behind it. All of it goes when it is dropped.
pub struct Edge {
    /// The process.
    pub web: Web,
    /// What stands in the app's place.
    pub origins: Vec<Origin>,
    /// The folder that both read their certificates from.
    pub certificates: Certificates,
    host: String,
}

impl Plan {
    /// An edge that serves [`HOST`] from so many origins.
    #[must_use]
    pub fn of(origins: usize) -> Self {
        Self {
            origins,
            host: HOST.to_owned(),
            variables: Vec::new(),
        }
    }

    /// Serves another host; `localhost`, with the port, for tools that connect by that name.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Sets a variable of web, also one that is set otherwise here.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the rates of one client out of reach, for a test that asks in haste for another reason.
    #[must_use]
    pub fn without_rate_limits(self) -> Self {
        self.variable("WEB_REQUESTS_PER_MINUTE", "6000000")
            .variable("WEB_HANDSHAKES_PER_SECOND", "1000000")
    }

    /// Starts all of it, and waits until web is ready.
    ///
    /// # Errors
    /// When web does not start; shows what it said.
    pub async fn start(self) -> anyhow::Result<Edge> {
        let certificates = Certificates::issue(&self.host)?;
        let leaf = certificates.internal()?.issue(&Certificates::app())?;
        let mut origins = Vec::new();
        for _ in 0..self.origins {
            let tls = certificates.mutual_server(&leaf)?;
            origins.push(Origin::start(Some(tls)).await?);
        }
        self.start_with(certificates, origins).await
    }

    /// Starts web with certificates and origins that are there already.
    ///
    /// # Errors
    /// See [`Plan::start`].
    pub async fn start_with(
        self,
        certificates: Certificates,
        origins: Vec<Origin>,
    ) -> anyhow::Result<Edge> {
        let mut variables = variables(&certificates, &origins, &self.host);
        variables.extend(self.variables);
        let log = certificates.path("web.log");
        let mut edge = Edge {
            web: Web::start(&variables, &log)?,
            origins,
            certificates,
            host: self.host,
        };
        let deadline = Instant::now() + START;
        let mut tries = 1;
        while !edge.is_listening().await {
            if edge.web.ended()?.is_some() && tries < 5 {
                // Somebody may have taken a port between the look and the start.
                tries += 1;
                edge.web = Web::start(&variables, &log)?;
            }
            if edge.web.ended()?.is_some() || Instant::now() > deadline {
                anyhow::bail!("web does not start:\n{}", edge.web.log()?);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(edge)
    }
}

impl Edge {
    /// A connection that speaks HTTP/1.1.
    ///
    /// # Errors
    /// When there is none.
    pub async fn connect(&self) -> anyhow::Result<Wire> {
        let tls = self.certificates.browser(b"http/1.1")?;
        Wire::connect(self.web.port, &self.host, tls).await
    }

    /// A TLS stream of a client at an address of the loopback interface, for a protocol of ALPN.
    ///
    /// # Errors
    /// When there is no handshake.
    pub async fn connect_from(
        &self,
        source: Ipv4Addr,
        alpn: &[u8],
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let tls = self.certificates.browser(alpn)?;
        connect_from(source, self.web.port, &self.host, tls).await
    }

    /// The one origin, or the first.
    ///
    /// # Errors
    /// When there is none.
    pub fn origin(&self) -> anyhow::Result<&Origin> {
        self.origins.first().context("no origin")
    }

    /// What a client of it says in `Host`.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host == "localhost" {
            return format!("localhost:{}", self.web.port);
        }
        self.host.clone()
    }

    /// The host that it serves.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether web is there, whatever is behind it.
    async fn is_listening(&self) -> bool {
        let asked = async {
            let mut wire = self.connect().await?;
            let host = self.authority();
            let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
            wire.send(request.as_bytes()).await?;
            wire.answer("GET").await
        };
        asked.await.is_ok_and(|(_, answer)| answer.status == 200)
    }

    /// Waits until web says that an app behind it is ready.
    ///
    /// # Errors
    /// When it does not within some seconds.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        loop {
            let mut wire = self.connect().await?;
            let host = self.authority();
            let request = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\n\r\n");
            wire.send(request.as_bytes()).await?;
            if wire.answer("GET").await?.1.status == 200 {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "no app gets ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What web is configured by, but for its ports.
fn variables(
    certificates: &Certificates,
    origins: &[Origin],
    host: &str,
) -> Vec<(String, OsString)> {
    let upstreams: Vec<String> = origins
        .iter()
        .map(|origin| format!("127.0.0.1:{}", origin.port()))
        .collect();
    let file = |name: &str| certificates.path(name).into_os_string();
    let port = if host == "localhost" { web::PORT } else { "" };
    let origin = format!("https://{host}{port}");
    [
        ("WEB_PUBLIC_ORIGIN", origin.into()),
        ("WEB_TLS_CERTIFICATE_FILE", file("public/web.pem")),
        ("WEB_TLS_KEY_FILE", file("public/web.key")),
        ("WEB_UPSTREAMS", upstreams.join(",").into()),
        ("WEB_UPSTREAM_NAME", "app.internal".into()),
        ("WEB_UPSTREAM_IDENTITY", Certificates::spiffe("app").into()),
        ("WEB_UPSTREAM_CA_FILE", file("internal/ca.pem")),
        ("WEB_UPSTREAM_CERTIFICATE_FILE", file("internal/web.pem")),
        ("WEB_UPSTREAM_KEY_FILE", file("internal/web.key")),
        ("WEB_DRAIN_SECONDS", "2".into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
