//! The OTLP collector that traces are exported to, and the HTTP client of the exporter.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use http::Response;
use http::Uri;
use http::uri::Scheme;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry_http::HttpClient;
use opentelemetry_http::HttpError;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time;
use tokio_rustls::TlsConnector;

/// Timeout of one export, from connecting to the end of the response.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum length of a response body, in bytes. A collector returns a short status.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// An OpenTelemetry collector that receives traces by OTLP over HTTP.
///
/// Each batch has a connection of its own, so that there is no pool and no stale connection.
pub struct Collector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    traces: String,
    runtime: Handle,
}

/// A collector's endpoint cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectorError {
    /// The endpoint is neither `https://host[:port]` nor `http://` with a loopback address.
    #[error(
        "expected https://host[:port], or http://localhost[:port] for a collector on this machine"
    )]
    Endpoint,
    /// The endpoint is `https://`, and there are no trust anchors to verify its certificate.
    #[error("an https:// endpoint needs the CA of its certificate")]
    Anchors,
    /// The constructor was called outside a tokio runtime.
    #[error("a collector needs a tokio runtime")]
    Runtime,
}

impl Collector {
    /// A collector at `endpoint`, which is given without `/v1/traces`. Plain HTTP is allowed to a
    /// loopback address only; HTTPS needs a `tls` configuration. Must be called within a tokio
    /// runtime, on which exports then run.
    ///
    /// # Errors
    /// [`CollectorError`].
    pub fn new(endpoint: &str, tls: Option<Arc<ClientConfig>>) -> Result<Self, CollectorError> {
        let uri: Uri = endpoint
            .parse()
            .map_err(|_not_a_url| CollectorError::Endpoint)?;
        let host = uri
            .host()
            .ok_or(CollectorError::Endpoint)?
            .trim_matches(['[', ']'])
            .to_owned();
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let plain = uri.scheme() == Some(&Scheme::HTTP) && is_loopback(&host);
        if !(secure || plain) || uri.query().is_some() {
            return Err(CollectorError::Endpoint);
        }
        let tls = if secure {
            let name = ServerName::try_from(host.clone())
                .map_err(|_not_a_name| CollectorError::Endpoint)?;
            Some((
                TlsConnector::from(tls.ok_or(CollectorError::Anchors)?),
                name,
            ))
        } else {
            None
        };
        Ok(Self {
            host,
            port: uri.port_u16().unwrap_or(4318),
            tls,
            traces: format!("{}/v1/traces", endpoint.trim_end_matches('/')),
            runtime: Handle::try_current().map_err(|_outside| CollectorError::Runtime)?,
        })
    }

    pub(crate) fn traces_url(&self) -> String {
        self.traces.clone()
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collector({})", self.traces)
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The exporter calls this on a thread of its own, which has no runtime.
        let (host, port, tls) = (self.host.clone(), self.port, self.tls.clone());
        let export = self.runtime.spawn(async move {
            time::timeout(EXPORT_TIMEOUT, async {
                let tcp = TcpStream::connect((host, port)).await?;
                match tls {
                    None => exchange(tcp, request).await,
                    Some((connector, name)) => {
                        exchange(connector.connect(name, tcp).await?, request).await
                    }
                }
            })
            .await
            .map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))?
        });
        export.await?
    }
}

/// Sends one request on a new connection, and reads the response.
async fn exchange<S>(stream: S, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let (mut parts, body) = request.into_parts();
    if let Some(host) = parts
        .uri
        .authority()
        .and_then(|name| name.as_str().parse().ok())
    {
        parts.headers.insert(http::header::HOST, host);
    }
    parts.uri = Uri::from_static("/v1/traces");
    let response = sender
        .send_request(Request::from_parts(parts, Full::new(body)))
        .await?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, MAX_RESPONSE_BYTES)
        .collect()
        .await?
        .to_bytes();
    connection.abort();
    Ok(Response::from_parts(parts, body))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn plain_http_is_allowed_to_loopback_only() {
        for endpoint in [
            "http://127.0.0.1:4318",
            "http://localhost",
            "http://[::1]:1/",
        ] {
            assert!(Collector::new(endpoint, None).is_ok(), "{endpoint}");
        }
        for endpoint in [
            "http://collector:4318",
            "ftp://localhost",
            "localhost:4318",
            "",
        ] {
            let error = Collector::new(endpoint, None).unwrap_err();
            assert_eq!(error, CollectorError::Endpoint, "{endpoint}");
        }
        let error = Collector::new("https://collector", None).unwrap_err();
        assert_eq!(error, CollectorError::Anchors);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn spans_reach_the_collector_without_what_must_not_be_exported() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let received = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 16 * 1024];
            let length = tcp.read(&mut bytes).await.unwrap();
            tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await
                .unwrap();
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        });
        let collector = Collector::new(&endpoint, None).unwrap();
        let guard = crate::init("test", crate::LevelFilter::ERROR, Some(collector)).unwrap();
        drop(tracing::error_span!(
            "a span",
            patient_name = "Ann Archer",
            status = "kept"
        ));
        tokio::task::spawn_blocking(move || drop(guard))
            .await
            .unwrap();
        let received = received.await.unwrap();
        assert!(received.starts_with("POST /v1/traces"), "{received}");
        assert!(
            received.contains("a span") && received.contains("kept"),
            "{received}"
        );
        assert!(!received.contains("Archer"), "{received}");
    }
}
