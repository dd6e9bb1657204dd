//! A recording server in the place of app, whose responses are scripted.

use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use rustls::HandshakeKind;
use rustls::ServerConfig;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::message::Framing;
use super::message::Message;
use super::message::Reader;
use super::message::framing;
use super::record::OriginRecord;
use super::record::Record;

/// The reaction of an origin to the head of a request.
#[derive(Clone, Debug)]
pub enum Action {
    /// Reads the body, and responds 200 with the request line and the length of the body.
    Echo,
    /// Reads the body, and sends this response; closes if it has `connection: close`.
    Respond(Vec<u8>),
    /// Sends this response before it reads the body.
    RespondEarly(Vec<u8>),
    /// Reads the body, and sends a response in pieces, each after a pause.
    RespondInPieces(Vec<(Duration, Vec<u8>)>),
    /// Waits, then acts.
    Delay(Duration, Box<Action>),
    /// Closes the connection without a response.
    Close,
    /// Reads the body, and never responds.
    NoResponse,
}

type Script = Arc<dyn Fn(&Message) -> Action + Send + Sync>;

/// The shared state of an origin's connections.
struct Shared {
    tls: Option<Arc<ServerConfig>>,
    record: Record,
    script: Mutex<Script>,
    ready: AtomicBool,
}

/// The origin. When it is stopped or dropped, its connections end and its port refuses new ones.
pub struct Origin {
    port: u16,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

impl Origin {
    /// Listens on a free port, with TLS or in plaintext. By default it reports itself as ready and
    /// acts by [`Action::Echo`].
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(tls: Option<ServerConfig>) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            tls: tls.map(Arc::new),
            record: Record::default(),
            script: Mutex::new(Arc::new(|_| Action::Echo)),
            ready: AtomicBool::new(true),
        });
        let mut origin = Self {
            port: 0,
            shared,
            task: None,
        };
        origin.listen().await?;
        Ok(origin)
    }

    /// Listens on its port, also after it was stopped.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn listen(&mut self) -> anyhow::Result<()> {
        self.stop();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = TcpListener::bind(address).await.context("no port")?;
        self.port = listener.local_addr()?.port();
        let shared = Arc::clone(&self.shared);
        self.task = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                connections.spawn(Arc::clone(&shared).serve_connection(tcp));
                while connections.try_join_next().is_some() {}
            }
        }));
        Ok(())
    }

    /// Closes the port and all connections.
    pub fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// The port on the loopback interface.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Acts by another script from now on. Readiness probes are not passed to scripts.
    pub fn script(&self, script: impl Fn(&Message) -> Action + Send + Sync + 'static) {
        let script: Script = Arc::new(script);
        *self
            .shared
            .script
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = script;
    }

    /// Sets the response to readiness probes.
    pub fn ready(&self, ready: bool) {
        self.shared.ready.store(ready, Ordering::SeqCst);
    }

    /// Takes the record since the last call.
    #[must_use]
    pub fn take_record(&self) -> OriginRecord {
        self.shared.record.take()
    }

    /// The number of readiness probes.
    #[must_use]
    pub fn readiness_probes(&self) -> usize {
        self.shared.record.readiness_probes()
    }

    /// The number of TCP connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.record.connections()
    }

    /// The completed TLS handshakes.
    #[must_use]
    pub fn handshakes(&self) -> Vec<HandshakeKind> {
        self.shared.record.handshakes()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// Serves one connection from its handshake to its end.
    async fn serve_connection(self: Arc<Self>, tcp: TcpStream) {
        let connection = self.record.open();
        // Small responses must not be delayed by Nagle's algorithm.
        let _ = tcp.set_nodelay(true);
        let ended = match &self.tls {
            None => self.serve_requests(connection, tcp).await,
            Some(tls) => match TlsAcceptor::from(Arc::clone(tls)).accept(tcp).await {
                Ok(stream) => {
                    let kind = stream.get_ref().1.handshake_kind();
                    self.record.handshake(kind.unwrap_or(HandshakeKind::Full));
                    self.serve_requests(connection, stream).await
                }
                Err(_) => Ok(()),
            },
        };
        if let Err(error) = ended
            && error.kind() == io::ErrorKind::InvalidData
        {
            self.record.malformed(error.to_string());
        }
        self.record.close(connection);
    }

    async fn serve_requests<S>(&self, connection: usize, stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut reader = Reader::new(stream);
        let on_bytes = |bytes: &[u8]| self.record.receive(connection, bytes);
        // Only the edge connects with TLS, and only the edge has to send canonical requests.
        let is_strict = self.tls.is_some();
        while let Some(head) = reader.until(b"\r\n\r\n", on_bytes).await? {
            let mut message = Message {
                connection,
                head: text(&head),
                body: Vec::new(),
            };
            let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
            let framing = framing(&message, is_strict)
                .map_err(|what| invalid(format!("{what}: {:?}", message.head)))?;
            let mut action = self.action(&message);
            while let Action::Delay(pause, then) = action {
                tokio::time::sleep(pause).await;
                action = *then;
            }
            if matches!(action, Action::Close) {
                return Ok(());
            }
            if let Action::RespondEarly(response) = &action {
                send(&mut reader, response).await?;
            }
            message.body = match framing {
                Framing::Length(length) => reader.exactly(length, on_bytes).await?,
                Framing::Chunked => chunks(&mut reader, is_strict, on_bytes).await?,
            };
            self.record.complete(&message, reader.unread());
            let response = match action {
                Action::Echo => echo(&message),
                Action::Respond(response) => response,
                Action::RespondInPieces(pieces) => {
                    for (pause, piece) in pieces {
                        tokio::time::sleep(pause).await;
                        send(&mut reader, &piece).await?;
                    }
                    Vec::new()
                }
                Action::NoResponse => return std::future::pending().await,
                Action::RespondEarly(_) | Action::Delay(..) | Action::Close => Vec::new(),
            };
            send(&mut reader, &response).await?;
            let response = response.to_ascii_lowercase();
            if response.windows(17).any(|at| at == b"connection: close") {
                return reader.stream.shutdown().await;
            }
        }
        Ok(())
    }

    fn action(&self, message: &Message) -> Action {
        if message.is_readiness_probe() {
            let (status, body) = if self.ready.load(Ordering::SeqCst) {
                ("200 OK", "ready")
            } else {
                ("503 Service Unavailable", "not ready")
            };
            return Action::Respond(encode_response(status, body.as_bytes()));
        }
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let script = Arc::clone(&script);
        script(message)
    }
}

async fn send<S: AsyncWrite + Unpin>(reader: &mut Reader<S>, bytes: &[u8]) -> io::Result<()> {
    reader.stream.write_all(bytes).await?;
    reader.stream.flush().await
}

/// Reads a chunked body. The edge must write it without extensions and trailers; other proxies may
/// use them.
async fn chunks<S: AsyncRead + Unpin>(
    reader: &mut Reader<S>,
    is_strict: bool,
    mut on_bytes: impl FnMut(&[u8]),
) -> io::Result<Vec<u8>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "an invalid chunk");
    let mut body = Vec::new();
    loop {
        let line = reader.until(b"\r\n", &mut on_bytes).await?;
        let line = text(&line.ok_or(io::ErrorKind::UnexpectedEof)?);
        let digits = match line.split_once(';') {
            Some((digits, _)) if !is_strict => digits,
            _ => &line,
        };
        let length = usize::from_str_radix(digits, 16).map_err(|_none| invalid())?;
        body.extend(reader.exactly(length, &mut on_bytes).await?);
        let mut end = reader.until(b"\r\n", &mut on_bytes).await?;
        while length == 0 && !is_strict && end.as_deref().is_some_and(|line| line != b"\r\n") {
            end = reader.until(b"\r\n", &mut on_bytes).await?;
        }
        if end.as_deref() != Some(b"\r\n") {
            return Err(invalid());
        }
        if length == 0 {
            return Ok(body);
        }
    }
}

/// A head or a line as text, without its end.
fn text(bytes: &[u8]) -> String {
    let bytes = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

/// The response of [`Action::Echo`].
fn echo(message: &Message) -> Vec<u8> {
    let body = format!("{}\n{}", message.line(), message.body.len());
    let mut response = encode_response("200 OK", body.as_bytes());
    if message.method() == "HEAD" {
        response.truncate(response.len().saturating_sub(body.len()));
    }
    response
}

/// The bytes of a response with `content-length`.
#[must_use]
pub fn encode_response(status: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}
