//! A client of the front door: HTTPS with our public CA as the only root, one connection that many
//! requests share, made anew when it was lost.

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

use crate::status::Status;

/// How long one request may take. An import's largest chunks stay well under it.
const PATIENCE: Duration = Duration::from_mins(2);

/// One HTTPS server on the loopback interface.
#[derive(Debug)]
pub struct FrontDoor {
    source: Ipv4Addr,
    port: u16,
    tls: Arc<rustls::ClientConfig>,
    connection: Mutex<Option<Connection>>,
}

impl FrontDoor {
    /// Names the server by its port, and the only CA that may vouch for it.
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

    /// The same for another client: one with this address, which is of the loopback interface too.
    #[must_use]
    pub fn with_source(mut self, source: Ipv4Addr) -> Self {
        self.source = source;
        self
    }

    /// The front door of a running stack.
    ///
    /// # Errors
    /// When its address or its CA cannot be read.
    pub fn of(status: &Status) -> anyhow::Result<Self> {
        let port = status
            .web
            .address
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok());
        let port = port.context("the address of the stack has no port")?;
        Self::new(port, &status.certificates.join("public/ca.pem"))
    }

    /// Sends a request over the shared connection and reads the whole answer.
    ///
    /// # Errors
    /// When the server cannot be reached, cannot be verified, or does not answer in time.
    pub async fn send(&self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        let mut connection = self.shared().await?;
        let answer = connection.send(request).await;
        if answer.is_err() {
            *self.connection.lock().await = None;
        }
        answer
    }

    /// Opens a connection of its own.
    ///
    /// # Errors
    /// When the server cannot be reached or verified.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        self.connect_from(self.source).await
    }

    /// Opens a connection of another client's address, of the loopback interface.
    ///
    /// # Errors
    /// When the server cannot be reached or verified.
    pub async fn connect_from(&self, source: Ipv4Addr) -> anyhow::Result<Connection> {
        Connection::open(source, self.port, &self.tls).await
    }

    /// The host and port of its URLs.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Opens a TLS connection of another client's address, of the loopback interface, for one
    /// protocol of ALPN.
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
        if matches!(opened.sender, Sender::Two(_)) {
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
    One(Arc<Mutex<http1::SendRequest<Full<Bytes>>>>),
    Two(http2::SendRequest<Full<Bytes>>),
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
                .context("the server speaks no HTTP/2")?;
            tokio::spawn(connection);
            Sender::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(io)
                .await
                .context("the server speaks no HTTP/1.1")?;
            tokio::spawn(connection);
            Sender::One(Arc::new(Mutex::new(sender)))
        };
        Ok(Self {
            authority: format!("localhost:{port}"),
            sender,
        })
    }

    fn is_open(&self) -> bool {
        match &self.sender {
            Sender::One(_) => false,
            Sender::Two(sender) => !sender.is_closed(),
        }
    }

    /// Sends a request whose address is only a path, and reads the whole answer.
    ///
    /// # Errors
    /// When the connection is lost or the answer does not come in time.
    pub async fn send(&mut self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        tokio::time::timeout(PATIENCE, self.exchange(request))
            .await
            .with_context(|| format!("no answer within {} seconds", PATIENCE.as_secs()))?
    }

    async fn exchange(&mut self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        let (mut head, body) = request.into_parts();
        let path = head
            .uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let absolute: Uri = format!("https://{}{path}", self.authority)
            .parse()
            .context("the address cannot be understood")?;
        let answer = match &mut self.sender {
            Sender::Two(sender) => {
                head.uri = absolute;
                sender.ready().await.context("the connection was lost")?;
                sender
                    .send_request(Request::from_parts(head, Full::new(body)))
                    .await
            }
            Sender::One(sender) => {
                let host = self
                    .authority
                    .parse()
                    .context("the host cannot be a header")?;
                head.headers.insert(header::HOST, host);
                let mut sender = sender.lock().await;
                sender.ready().await.context("the connection was lost")?;
                sender
                    .send_request(Request::from_parts(head, Full::new(body)))
                    .await
            }
        };
        let (head, body) = answer.context("the connection was lost")?.into_parts();
        let bytes = body
            .collect()
            .await
            .context("the answer broke off")?
            .to_bytes();
        Ok(Response::from_parts(head, bytes))
    }
}

/// A TLS connection of a client's address to a port of the loopback interface.
async fn handshake(
    source: Ipv4Addr,
    port: u16,
    tls: &Arc<rustls::ClientConfig>,
) -> anyhow::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4().context("no socket")?;
    // A client of another address has to say so; the usual one leaves it to the system.
    if source != Ipv4Addr::LOCALHOST {
        socket
            .bind((source, 0).into())
            .with_context(|| format!("{source} is no address of this machine"))?;
    }
    let stream = socket
        .connect((Ipv4Addr::LOCALHOST, port).into())
        .await
        .with_context(|| format!("nothing answers on port {port}: is the stack up?"))?;
    stream.set_nodelay(true).context("TCP_NODELAY")?;
    let name = ServerName::try_from("localhost").context("localhost is a name")?;
    TlsConnector::from(Arc::clone(tls))
        .connect(name, stream)
        .await
        .with_context(|| format!("no TLS with port {port}"))
}
