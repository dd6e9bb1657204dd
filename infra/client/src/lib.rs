//! The HTTPS client of tooling and tests: one CA as the only root, HTTP/2 or HTTP/1.1 as the server prefers, one
//! connection that requests share and that is opened again when it is lost.

mod client_key;
mod passkey;
mod token;
mod totp;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::Request;
use http::Response;
use http::Uri;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use client_key::ClientCredentials;
pub use client_key::ClientKey;
pub use client_key::issue_client_token;
pub use client_key::token_form;
pub use passkey::Authenticator;
pub use passkey::PasskeyAlgorithm;
pub use passkey::USER_VERIFIED_FLAGS;
pub use token::Credentials;
pub use token::InvalidCredentials;
pub use token::issue_token;
pub use totp::TotpKey;
pub use totp::present_step;

/// Upper bound for one request and its response. The largest batches of an import stay well below it.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

/// A client of one HTTPS server on the loopback interface.
#[derive(Debug)]
pub struct HttpsClient {
    source: Ipv4Addr,
    port: u16,
    tls: Arc<rustls::ClientConfig>,
    connection: Mutex<Option<Connection>>,
}

impl HttpsClient {
    /// A client of the server on `port` that trusts only the CA in the PEM file `authority`.
    ///
    /// # Errors
    /// When the CA file cannot be read.
    pub fn new(port: u16, authority: &Path) -> anyhow::Result<Self> {
        let anchors = certs::TrustAnchors::from_pem_file(authority)
            .with_context(|| format!("the CA {} cannot be read", authority.display()))?;
        let mut tls = certs::policy::https_client(&anchors).context("no TLS client can be made")?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            source: Ipv4Addr::LOCALHOST,
            port,
            tls: Arc::new(tls),
            connection: Mutex::new(None),
        })
    }

    /// Sends from `source`, another address of the loopback interface, as another client would.
    #[must_use]
    pub fn with_source(mut self, source: Ipv4Addr) -> Self {
        self.source = source;
        self
    }

    /// Sends a request over the shared connection and reads the whole response.
    ///
    /// # Errors
    /// When the server cannot be reached, cannot be verified, or does not respond in time.
    pub async fn send(&self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        let mut connection = self.shared().await?;
        let response = connection.send(request).await;
        if response.is_err() {
            *self.connection.lock().await = None;
        }
        response
    }

    /// Opens a connection that no other request uses.
    ///
    /// # Errors
    /// When the server cannot be reached or verified.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        self.connect_from(self.source).await
    }

    /// Opens a connection from `source`, an address of the loopback interface.
    ///
    /// # Errors
    /// When the server cannot be reached or verified.
    pub async fn connect_from(&self, source: Ipv4Addr) -> anyhow::Result<Connection> {
        Connection::open(source, self.port, &self.tls).await
    }

    /// Host and port, as in its URLs.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Opens a TLS connection from `source` that offers one ALPN protocol.
    ///
    /// # Errors
    /// When the server cannot be reached or verified.
    pub async fn tls_from(
        &self,
        source: Ipv4Addr,
        alpn: &[u8],
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let mut tls = rustls::ClientConfig::clone(&self.tls);
        tls.alpn_protocols = vec![alpn.to_vec()];
        handshake(source, self.port, &Arc::new(tls)).await
    }

    async fn shared(&self) -> anyhow::Result<Connection> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| connection.is_open()) {
            return Ok(connection.clone());
        }
        let opened = self.connect().await?;
        // HTTP/1.1 takes one request at a time: such a connection is not shared.
        if matches!(opened.sender, Sender::Http2(_)) {
            *slot = Some(opened.clone());
        }
        Ok(opened)
    }
}

/// An open connection.
#[derive(Clone, Debug)]
pub struct Connection {
    authority: String,
    sender: Sender,
}

#[derive(Clone, Debug)]
enum Sender {
    Http1(Arc<Mutex<http1::SendRequest<Full<Bytes>>>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    async fn open(
        source: Ipv4Addr,
        port: u16,
        tls: &Arc<rustls::ClientConfig>,
    ) -> anyhow::Result<Self> {
        let stream = handshake(source, port, tls).await?;
        let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(stream);
        let sender = if two {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
                .await
                .context("the HTTP/2 handshake failed")?;
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(io)
                .await
                .context("the HTTP/1.1 handshake failed")?;
            tokio::spawn(connection);
            Sender::Http1(Arc::new(Mutex::new(sender)))
        };
        Ok(Self {
            authority: format!("localhost:{port}"),
            sender,
        })
    }

    fn is_open(&self) -> bool {
        match &self.sender {
            Sender::Http1(_) => false,
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Sends a request whose URI is only a path, and reads the whole response.
    ///
    /// # Errors
    /// When the connection is lost or the response does not arrive in time.
    pub async fn send(&mut self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        tokio::time::timeout(REQUEST_TIMEOUT, self.exchange(request))
            .await
            .with_context(|| format!("no response within {} seconds", REQUEST_TIMEOUT.as_secs()))?
    }

    async fn exchange(&mut self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        let (mut head, body) = request.into_parts();
        let path = head
            .uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let absolute: Uri = format!("https://{}{path}", self.authority)
            .parse()
            .context("the URI cannot be parsed")?;
        let response = match &mut self.sender {
            Sender::Http2(sender) => {
                head.uri = absolute;
                sender.ready().await.context("the connection was lost")?;
                sender
                    .send_request(Request::from_parts(head, Full::new(body)))
                    .await
            }
            Sender::Http1(sender) => {
                let host = self
                    .authority
                    .parse()
                    .context("the host is not a header value")?;
                head.headers.insert(header::HOST, host);
                let mut sender = sender.lock().await;
                sender.ready().await.context("the connection was lost")?;
                sender
                    .send_request(Request::from_parts(head, Full::new(body)))
                    .await
            }
        };
        let (head, body) = response.context("the connection was lost")?.into_parts();
        let bytes = body
            .collect()
            .await
            .context("the response was cut off")?
            .to_bytes();
        Ok(Response::from_parts(head, bytes))
    }
}

/// Opens a TLS connection from `source` to a port of the loopback interface.
async fn handshake(
    source: Ipv4Addr,
    port: u16,
    tls: &Arc<rustls::ClientConfig>,
) -> anyhow::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4().context("a socket cannot be opened")?;
    // For 127.0.0.1 the kernel chooses the port at connect, which allows more connections than bind does.
    if source != Ipv4Addr::LOCALHOST {
        socket
            .bind((source, 0).into())
            .with_context(|| format!("{source} is not an address of this machine"))?;
    }
    let stream = socket
        .connect((Ipv4Addr::LOCALHOST, port).into())
        .await
        .with_context(|| format!("port {port} refuses connections: is the stack up?"))?;
    stream
        .set_nodelay(true)
        .context("TCP_NODELAY cannot be set")?;
    let name = ServerName::try_from("localhost").context("localhost is not a valid server name")?;
    TlsConnector::from(Arc::clone(tls))
        .connect(name, stream)
        .await
        .with_context(|| format!("the TLS handshake with port {port} failed"))
}
