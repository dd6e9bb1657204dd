//! A connection on which a test can send any bytes.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::response::TestResponse;

/// The longest wait for bytes that have to arrive.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A bidirectional stream of bytes.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A client's connection.
pub struct RawConnection {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

/// Connects from one address of the loopback interface to a port of it, with a server name for TLS.
///
/// # Errors
/// When the handshake fails.
pub async fn connect_from(
    source: Ipv4Addr,
    port: u16,
    name: &str,
    tls: ClientConfig,
) -> anyhow::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let tcp = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from(name.to_owned())?;
    let handshake = TlsConnector::from(Arc::new(tls)).connect(name, tcp);
    let stream = timeout(TIMEOUT, handshake).await;
    Ok(stream.context("no handshake")??)
}

/// The bytes up to the end of the connection, or up to a pause.
#[derive(Debug)]
pub struct Remainder {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the server has ended the connection.
    pub closed: bool,
}

impl RawConnection {
    /// Connects to a port of the loopback interface, with a server name for TLS.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn connect(port: u16, name: &str, tls: ClientConfig) -> anyhow::Result<Self> {
        let stream = connect_from(Ipv4Addr::LOCALHOST, port, name, tls).await?;
        Ok(Self::new(stream))
    }

    /// A connection over an established stream.
    #[must_use]
    pub fn new(stream: TlsStream<TcpStream>) -> Self {
        Self {
            stream: Box::new(stream),
            buffer: Vec::new(),
        }
    }

    /// Connects to a port of the loopback interface without TLS.
    ///
    /// # Errors
    /// When the port refuses the connection.
    pub async fn plaintext(port: u16) -> anyhow::Result<Self> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        tcp.set_nodelay(true)?;
        Ok(Self {
            stream: Box::new(tcp),
            buffer: Vec::new(),
        })
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the server has closed the connection.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        timeout(TIMEOUT, sent)
            .await
            .map_err(|_elapsed| io::ErrorKind::TimedOut)?
    }

    /// Shuts down the sending side.
    ///
    /// # Errors
    /// When the server has closed the connection.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Waits for the response to a request with this method. Returns the interim responses before
    /// it, too.
    ///
    /// # Errors
    /// When none arrives, or it is not HTTP/1.1.
    pub async fn response(
        &mut self,
        method: &str,
    ) -> anyhow::Result<(Vec<StatusCode>, TestResponse)> {
        let mut interim = Vec::new();
        loop {
            let head = self.until(b"\r\n\r\n").await?;
            let (status, headers) = head_of(&head)?;
            if status.is_informational() {
                interim.push(status);
                continue;
            }
            let body = self.body(method, status, &headers).await?;
            let response = TestResponse {
                status,
                headers,
                body: Bytes::from(body),
            };
            return Ok((interim, response));
        }
    }

    /// Waits for an interim response.
    ///
    /// # Errors
    /// When none arrives.
    pub async fn interim(&mut self) -> anyhow::Result<StatusCode> {
        let head = self.until(b"\r\n\r\n").await?;
        Ok(head_of(&head)?.0)
    }

    /// Reads until the connection ends, or no byte arrives for a while.
    pub async fn read_rest(&mut self, pause: Duration) -> Remainder {
        let mut closed = false;
        while !closed {
            match timeout(pause, self.more()).await {
                Ok(Ok(true)) => {}
                // A connection may end with an error; the bytes before it count.
                Ok(Ok(false) | Err(_)) => closed = true,
                Err(_elapsed) => break,
            }
        }
        Remainder {
            bytes: std::mem::take(&mut self.buffer),
            closed,
        }
    }

    async fn body(
        &mut self,
        method: &str,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> anyhow::Result<Vec<u8>> {
        if method == "HEAD" || matches!(status.as_u16(), 204 | 304) {
            return Ok(Vec::new());
        }
        if let Some(length) = headers.get("content-length") {
            return self.exactly(length.to_str()?.parse()?).await;
        }
        if headers.get("transfer-encoding").is_none() {
            let rest = self.read_rest(TIMEOUT).await;
            anyhow::ensure!(rest.closed, "a response without an end");
            return Ok(rest.bytes);
        }
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?;
            let digits = String::from_utf8(line)?;
            let length = usize::from_str_radix(digits.trim_end(), 16)?;
            body.extend(self.exactly(length).await?);
            anyhow::ensure!(self.exactly(2).await? == b"\r\n", "a chunk without an end");
            if length == 0 {
                return Ok(body);
            }
        }
    }

    async fn until(&mut self, mark: &[u8]) -> anyhow::Result<Vec<u8>> {
        loop {
            let found = self.buffer.windows(mark.len()).position(|at| at == mark);
            if let Some(at) = found {
                return self.exactly(at + mark.len()).await;
            }
            self.wait().await?;
        }
    }

    async fn exactly(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.wait().await?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    async fn wait(&mut self) -> anyhow::Result<()> {
        if timeout(TIMEOUT, self.more())
            .await
            .context("no response")??
        {
            return Ok(());
        }
        bail!(
            "the connection ended after {:?}",
            String::from_utf8_lossy(&self.buffer)
        )
    }

    async fn more(&mut self) -> io::Result<bool> {
        let mut bytes = vec![0; 16 << 10];
        let length = self.stream.read(&mut bytes).await?;
        bytes.truncate(length);
        self.buffer.append(&mut bytes);
        Ok(length > 0)
    }
}

impl Remainder {
    /// The statuses of the responses among the bytes.
    #[must_use]
    pub fn statuses(&self) -> Vec<u16> {
        let text = String::from_utf8_lossy(&self.bytes);
        let lines = text.split("HTTP/1.1 ").skip(1);
        lines
            .filter_map(|rest| rest.get(..3)?.parse().ok())
            .collect()
    }
}

fn head_of(bytes: &[u8]) -> anyhow::Result<(StatusCode, HeaderMap)> {
    let text = std::str::from_utf8(bytes)?;
    let mut lines = text.trim_end().split("\r\n");
    let line = lines.next().unwrap_or_default();
    let status = line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .with_context(|| format!("no status line: {line:?}"))?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line
            .split_once(':')
            .with_context(|| format!("no header: {line:?}"))?;
        let name = HeaderName::from_bytes(name.as_bytes())?;
        headers.append(name, HeaderValue::from_str(value.trim())?);
    }
    Ok((status.parse()?, headers))
}
