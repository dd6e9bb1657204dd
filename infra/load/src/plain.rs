//! A connection without TLS, for servers that offer none.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Upper bound for one request and its response.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

/// A kept HTTP/1.1 connection without TLS to a server of the loopback interface.
#[derive(Debug)]
pub struct PlainConnection {
    host: HeaderValue,
    sender: http1::SendRequest<Full<Bytes>>,
}

impl PlainConnection {
    /// Opens a connection.
    ///
    /// # Errors
    /// When the port refuses it.
    pub async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("port {port} refuses connections"))?;
        stream
            .set_nodelay(true)
            .context("TCP_NODELAY cannot be set")?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .context("the HTTP/1.1 connection cannot be opened")?;
        tokio::spawn(connection);
        let host = HeaderValue::try_from(format!("127.0.0.1:{port}"));
        Ok(Self {
            host: host.context("the host is not a header value")?,
            sender,
        })
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
        let lost = "the connection was lost";
        let (mut head, body) = request.into_parts();
        head.headers.insert(header::HOST, self.host.clone());
        self.sender.ready().await.context(lost)?;
        let request = Request::from_parts(head, Full::new(body));
        let (head, body) = self
            .sender
            .send_request(request)
            .await
            .context(lost)?
            .into_parts();
        let body = body
            .collect()
            .await
            .context("the response was cut off")?
            .to_bytes();
        Ok(Response::from_parts(head, body))
    }
}
