//! A server in the app's place that records every byte it is told, and answers by a script.

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
use super::record::Record;
use super::record::Seen;

/// What an origin does when the head of a request has come.
#[derive(Clone, Debug)]
pub enum Act {
    /// Reads the body, and answers 200 with what was understood: the request line, and the length
    /// of the body.
    Echo,
    /// Reads the body, and answers these bytes; closes if they say `connection: close`.
    Answer(Vec<u8>),
    /// Answers these bytes at once, and then reads the body.
    Early(Vec<u8>),
    /// Reads the body, and answers in pieces, each after a pause.
    Pieces(Vec<(Duration, Vec<u8>)>),
    /// Waits, then acts.
    After(Duration, Box<Act>),
    /// Closes without a word.
    Close,
    /// Reads the body, and says nothing for ever.
    Silence,
}

type Script = Arc<dyn Fn(&Message) -> Act + Send + Sync>;

/// What the connections of an origin share.
struct Shared {
    tls: Option<Arc<ServerConfig>>,
    record: Record,
    script: Mutex<Script>,
    ready: AtomicBool,
}

/// The origin. Its port refuses, and its connections end, when it is stopped or dropped.
pub struct Origin {
    port: u16,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

impl Origin {
    /// Listens on a port of its own, behind TLS or in the clear. Answers [`Act::Echo`], and that it
    /// is ready.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(tls: Option<ServerConfig>) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            tls: tls.map(Arc::new),
            record: Record::default(),
            script: Mutex::new(Arc::new(|_| Act::Echo)),
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

    /// Listens on its port, again if it was stopped.
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
                connections.spawn(Arc::clone(&shared).attend(tcp));
                while connections.try_join_next().is_some() {}
            }
        }));
        Ok(())
    }

    /// Closes its port and all its connections.
    pub fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// Where it listens, on the loopback interface.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Acts by another script from now on. The edge's own questions are not put to it.
    pub fn script(&self, script: impl Fn(&Message) -> Act + Send + Sync + 'static) {
        let script: Script = Arc::new(script);
        *self
            .shared
            .script
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = script;
    }

    /// Whether it says that it is ready when the edge asks.
    pub fn ready(&self, ready: bool) {
        self.shared.ready.store(ready, Ordering::SeqCst);
    }

    /// What it was told since it was asked last.
    #[must_use]
    pub fn take(&self) -> Seen {
        self.shared.record.take()
    }

    /// How often the edge asked whether it is ready.
    #[must_use]
    pub fn checks(&self) -> usize {
        self.shared.record.checks()
    }

    /// How often somebody connected.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.shared.record.attempts()
    }

    /// The handshakes that were completed.
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
    /// One connection, from its handshake to its end.
    async fn attend(self: Arc<Self>, tcp: TcpStream) {
        let connection = self.record.attempt();
        // Small answers are not held back for the sake of larger packets.
        let _ = tcp.set_nodelay(true);
        let ended = match &self.tls {
            None => self.talk(connection, tcp).await,
            Some(tls) => match TlsAcceptor::from(Arc::clone(tls)).accept(tcp).await {
                Ok(stream) => {
                    let kind = stream.get_ref().1.handshake_kind();
                    self.record.handshake(kind.unwrap_or(HandshakeKind::Full));
                    self.talk(connection, stream).await
                }
                Err(_) => Ok(()),
            },
        };
        if let Err(error) = ended
            && error.kind() == io::ErrorKind::InvalidData
        {
            self.record.wrong(error.to_string());
        }
        self.record.ended(connection);
    }

    async fn talk<S>(&self, connection: usize, stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut reader = Reader::new(stream);
        let heard = |bytes: &[u8]| self.record.heard(connection, bytes);
        // Only the edge knows TLS, and only it has to keep to one form.
        let is_strict = self.tls.is_some();
        while let Some(head) = reader.until(b"\r\n\r\n", heard).await? {
            let mut message = Message {
                connection,
                head: text(&head),
                body: Vec::new(),
            };
            let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
            let framing = framing(&message, is_strict)
                .map_err(|what| invalid(format!("{what}: {:?}", message.head)))?;
            let mut act = self.act(&message);
            while let Act::After(pause, then) = act {
                tokio::time::sleep(pause).await;
                act = *then;
            }
            if matches!(act, Act::Close) {
                return Ok(());
            }
            if let Act::Early(answer) = &act {
                say(&mut reader, answer).await?;
            }
            message.body = match framing {
                Framing::Length(length) => reader.exactly(length, heard).await?,
                Framing::Chunked => chunks(&mut reader, is_strict, heard).await?,
            };
            self.record.whole(&message, reader.left());
            let answer = match act {
                Act::Echo => echo(&message),
                Act::Answer(answer) => answer,
                Act::Pieces(pieces) => {
                    for (pause, piece) in pieces {
                        tokio::time::sleep(pause).await;
                        say(&mut reader, &piece).await?;
                    }
                    Vec::new()
                }
                Act::Silence => return std::future::pending().await,
                Act::Early(_) | Act::After(..) | Act::Close => Vec::new(),
            };
            say(&mut reader, &answer).await?;
            let answer = answer.to_ascii_lowercase();
            if answer.windows(17).any(|at| at == b"connection: close") {
                return reader.stream.shutdown().await;
            }
        }
        Ok(())
    }

    fn act(&self, message: &Message) -> Act {
        if message.is_check() {
            let (status, body) = if self.ready.load(Ordering::SeqCst) {
                ("200 OK", "ready")
            } else {
                ("503 Service Unavailable", "not ready")
            };
            return Act::Answer(answer(status, body.as_bytes()));
        }
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let script = Arc::clone(&script);
        script(message)
    }
}

async fn say<S: AsyncWrite + Unpin>(reader: &mut Reader<S>, bytes: &[u8]) -> io::Result<()> {
    reader.stream.write_all(bytes).await?;
    reader.stream.flush().await
}

/// A chunked body. The edge has to write it without extensions and trailers; others need not.
async fn chunks<S: AsyncRead + Unpin>(
    reader: &mut Reader<S>,
    is_strict: bool,
    mut heard: impl FnMut(&[u8]),
) -> io::Result<Vec<u8>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "a chunk");
    let mut body = Vec::new();
    loop {
        let line = reader.until(b"\r\n", &mut heard).await?;
        let line = text(&line.ok_or(io::ErrorKind::UnexpectedEof)?);
        let digits = match line.split_once(';') {
            Some((digits, _)) if !is_strict => digits,
            _ => &line,
        };
        let length = usize::from_str_radix(digits, 16).map_err(|_none| invalid())?;
        body.extend(reader.exactly(length, &mut heard).await?);
        let mut end = reader.until(b"\r\n", &mut heard).await?;
        while length == 0 && !is_strict && end.as_deref().is_some_and(|line| line != b"\r\n") {
            end = reader.until(b"\r\n", &mut heard).await?;
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

/// What [`Act::Echo`] answers.
fn echo(message: &Message) -> Vec<u8> {
    let body = format!("{}\n{}", message.line(), message.body.len());
    let mut answer = answer("200 OK", body.as_bytes());
    if message.method() == "HEAD" {
        answer.truncate(answer.len().saturating_sub(body.len()));
    }
    answer
}

/// The bytes of an answer with a body of a known length.
#[must_use]
pub fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}
