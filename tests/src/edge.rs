//! A standalone edge: the real `web`, with recording origins in the place of app, for what concerns
//! only the edge. It needs neither a database nor an app, and starts in a moment.

mod certificates;
mod message;
mod origin;
mod raw_connection;
mod record;
mod reference_proxy;
mod web;

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

pub use certificates::Certificates;
pub use message::Message;
pub use origin::Action;
pub use origin::Origin;
pub use origin::encode_response;
pub use raw_connection::RawConnection;
pub use raw_connection::Remainder;
pub use raw_connection::connect_from;
pub use record::OriginRecord;
pub use reference_proxy::ReferenceProxy;
pub use reference_proxy::ReferenceProxyError;
pub use web::Web;

/// The host that a standalone edge serves by default.
pub const HOST: &str = "clinic.example";

/// The longest that web may take to become ready.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The settings of a standalone edge.
#[derive(Debug)]
pub struct EdgeBuilder {
    origins: usize,
    host: String,
    variables: Vec<(String, OsString)>,
}

/// A running edge and its origins. All of them stop when it is dropped.
pub struct Edge {
    /// The web process.
    pub web: Web,
    /// The servers in the place of app.
    pub origins: Vec<Origin>,
    /// The folder with the certificates of web and of the origins.
    pub certificates: Certificates,
    host: String,
}

impl EdgeBuilder {
    /// An edge that serves [`HOST`], with this number of origins.
    #[must_use]
    pub fn with_origins(origins: usize) -> Self {
        Self {
            origins,
            host: HOST.to_owned(),
            variables: Vec::new(),
        }
    }

    /// Serves another host. Tools that connect by name need `localhost`, to which the port is
    /// added.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Sets an environment variable of web, also in place of a default.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Raises the rate limits of one client out of reach, for tests of something else.
    #[must_use]
    pub fn without_rate_limits(self) -> Self {
        self.variable("WEB_REQUESTS_PER_MINUTE", "6000000")
            .variable("WEB_HANDSHAKES_PER_SECOND", "1000000")
    }

    /// Starts web and its origins, and waits until web is ready.
    ///
    /// # Errors
    /// When web does not start; shows its log.
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

    /// Starts web with existing certificates and origins.
    ///
    /// # Errors
    /// See [`EdgeBuilder::start`].
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
        let deadline = Instant::now() + START_TIMEOUT;
        let mut tries = 1;
        while !edge.is_listening().await {
            if edge.web.exit_status()?.is_some() && tries < 5 {
                // Another process may have taken a port between its selection and the start.
                tries += 1;
                edge.web = Web::start(&variables, &log)?;
            }
            if edge.web.exit_status()?.is_some() || Instant::now() > deadline {
                anyhow::bail!("web does not start:\n{}", edge.web.log()?);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(edge)
    }
}

impl Edge {
    /// A connection for HTTP/1.1.
    ///
    /// # Errors
    /// When it cannot be established.
    pub async fn connect(&self) -> anyhow::Result<RawConnection> {
        let tls = self.certificates.browser(b"http/1.1")?;
        RawConnection::connect(self.web.port, &self.host, tls).await
    }

    /// A TLS stream from an address of the loopback interface, with a protocol of ALPN.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn connect_from(
        &self,
        source: Ipv4Addr,
        alpn: &[u8],
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let tls = self.certificates.browser(alpn)?;
        connect_from(source, self.web.port, &self.host, tls).await
    }

    /// The first origin.
    ///
    /// # Errors
    /// When there is none.
    pub fn origin(&self) -> anyhow::Result<&Origin> {
        self.origins.first().context("no origin")
    }

    /// The value of a client's `Host` field.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host == "localhost" {
            return format!("localhost:{}", self.web.port);
        }
        self.host.clone()
    }

    /// The host that the edge serves.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether web serves `/healthz`, which does not depend on its origins.
    async fn is_listening(&self) -> bool {
        let probe = async {
            let mut connection = self.connect().await?;
            let host = self.authority();
            let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
            connection.send(request.as_bytes()).await?;
            connection.response("GET").await
        };
        probe
            .await
            .is_ok_and(|(_, response)| response.status == 200)
    }

    /// Waits until `/readyz` reports an origin as ready.
    ///
    /// # Errors
    /// When it does not within [`START_TIMEOUT`].
    pub async fn ready(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let mut connection = self.connect().await?;
            let host = self.authority();
            let request = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\n\r\n");
            connection.send(request.as_bytes()).await?;
            if connection.response("GET").await?.1.status == 200 {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "no origin becomes ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The environment of web, without its ports.
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
