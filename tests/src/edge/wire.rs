//! A connection on which any bytes can be said.

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

use crate::answer::Answer;

/// How long is waited for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stream of bytes in both directions.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The connection.
pub struct Wire {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

/// Connects to a port of the loopback interface from one of its addresses, which is the client's to
/// the other side, asking for a server's name.
///
/// # Errors
/// When there is no handshake.
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
    let stream = timeout(PATIENCE, handshake).await;
    Ok(stream.context("no handshake")??)
}

/// Everything that came until the end, or until nothing more came.
#[derive(Debug)]
pub struct Rest {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the other side has ended the connection.
    pub closed: bool,
}

impl Wire {
    /// Connects to a port of the loopback interface, asking for a server's name.
    ///
    /// # Errors
    /// When there is no handshake.
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
    /// When nobody listens there.
    pub async fn plain(port: u16) -> anyhow::Result<Self> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        tcp.set_nodelay(true)?;
        Ok(Self {
            stream: Box::new(tcp),
            buffer: Vec::new(),
        })
    }

    /// Says bytes.
    ///
    /// # Errors
    /// When the other side has gone.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        timeout(PATIENCE, sent)
            .await
            .map_err(|_elapsed| io::ErrorKind::TimedOut)?
    }

    /// Ends its own side, so that the other one knows that no more will come.
    ///
    /// # Errors
    /// When the other side has gone.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Waits for the answer to a request of a method; interim ones are given with it.
    ///
    /// # Errors
    /// When it does not come, or is no HTTP/1.1.
    pub async fn answer(&mut self, method: &str) -> anyhow::Result<(Vec<StatusCode>, Answer)> {
        let mut interim = Vec::new();
        loop {
            let head = self.until(b"\r\n\r\n").await?;
            let (status, headers) = head_of(&head)?;
            if status.is_informational() {
                interim.push(status);
                continue;
            }
            let body = self.body(method, status, &headers).await?;
            let answer = Answer {
                status,
                headers,
                body: Bytes::from(body),
            };
            return Ok((interim, answer));
        }
    }

    /// Waits for an interim answer.
    ///
    /// # Errors
    /// When none comes.
    pub async fn interim(&mut self) -> anyhow::Result<StatusCode> {
        let head = self.until(b"\r\n\r\n").await?;
        Ok(head_of(&head)?.0)
    }

    /// Reads until the end, or until nothing came for a while.
    pub async fn rest(&mut self, patience: Duration) -> Rest {
        let mut closed = false;
        while !closed {
            match timeout(patience, self.more()).await {
                Ok(Ok(true)) => {}
                // An error is one way of ending a connection; what came before it counts.
                Ok(Ok(false) | Err(_)) => closed = true,
                Err(_elapsed) => break,
            }
        }
        Rest {
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
            let rest = self.rest(PATIENCE).await;
            anyhow::ensure!(rest.closed, "an answer without an end");
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
        if timeout(PATIENCE, self.more())
            .await
            .context("no answer")??
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

impl Rest {
    /// The statuses of the answers in it.
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
