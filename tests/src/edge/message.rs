//! A strict reader of requests for origins: it accepts only the forms that the edge may send, and
//! repairs nothing.

use std::io;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;

/// The request line of the edge's readiness probe.
const READINESS_PROBE: &str = "GET /readyz HTTP/1.1";

/// A request that was received completely.
#[derive(Clone, Debug)]
pub struct Message {
    /// The number of its connection.
    pub connection: usize,
    /// The head, without the empty line.
    pub head: String,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

impl Message {
    /// The request line.
    #[must_use]
    pub fn line(&self) -> &str {
        self.head.split("\r\n").next().unwrap_or_default()
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.line().split(' ').next().unwrap_or_default()
    }

    /// The target of the request line.
    #[must_use]
    pub fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap_or_default()
    }

    /// The names and values of the header fields, unchanged.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.head.split("\r\n").skip(1);
        lines.map(|line| line.split_once(": ").unwrap_or((line, "")))
    }

    /// The values of a header field; `name` is in lower case.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<&str> {
        let of_name = |field: &(&str, &str)| field.0.eq_ignore_ascii_case(name);
        self.fields()
            .filter(of_name)
            .map(|(_, value)| value)
            .collect()
    }

    /// Whether this is exactly the edge's readiness probe.
    #[must_use]
    pub fn is_readiness_probe(&self) -> bool {
        let personal = ["authorization", "cookie", "x-forwarded-for"];
        self.line() == READINESS_PROBE
            && self.body.is_empty()
            && self.values("host") == ["app.internal"]
            && personal.iter().all(|name| self.values(name).is_empty())
    }
}

/// Whether these bytes are the beginning of a readiness probe.
pub(super) fn may_be_readiness_probe(bytes: &[u8]) -> bool {
    let line = READINESS_PROBE.as_bytes();
    let length = bytes.len().min(line.len());
    bytes.get(..length) == line.get(..length)
}

/// The framing of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
}

/// The framing that a head announces, or what is wrong with it. Only the edge has to write heads in
/// canonical form.
pub(super) fn framing(message: &Message, is_strict: bool) -> Result<Framing, &'static str> {
    if is_strict {
        canonical(message)?;
    }
    let lengths = message.values("content-length");
    let codings = message.values("transfer-encoding");
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(Framing::Length(0)),
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            let length = length.parse();
            length
                .map(Framing::Length)
                .map_err(|_large| "an invalid length")
        }
        ([], ["chunked"]) => Ok(Framing::Chunked),
        ([], [coding]) if !is_strict && coding.eq_ignore_ascii_case("chunked") => {
            Ok(Framing::Chunked)
        }
        _ => Err("ambiguous framing"),
    }
}

/// Whether a head is in the canonical form of the edge.
fn canonical(message: &Message) -> Result<(), &'static str> {
    let mut lines = message.head.split("\r\n");
    let line: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    if !matches!(line.as_slice(), [_, target, "HTTP/1.1"] if target.starts_with('/')) {
        return Err("an invalid request line");
    }
    let letters = message.head.replace("\r\n", "");
    if letters.contains(|letter: char| letter.is_control() && letter != '\t') {
        return Err("a control character");
    }
    if lines.any(|line| {
        line.split_once(": ")
            .is_none_or(|(name, _)| !is_token(name))
    }) {
        return Err("an invalid header field");
    }
    if message.values("host") != ["app.internal"] {
        return Err("another host");
    }
    Ok(())
}

fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !name.is_empty() && name.bytes().all(allowed)
}

/// The buffered bytes of a connection.
pub(super) struct Reader<S> {
    pub(super) stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The number of bytes that were received and not yet consumed.
    pub(super) fn unread(&self) -> usize {
        self.buffer.len()
    }

    /// The bytes up to and including a delimiter; `None` at an end of stream before the first byte.
    pub(super) async fn until(
        &mut self,
        mark: &[u8],
        mut on_bytes: impl FnMut(&[u8]),
    ) -> io::Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            let unsearched = self.buffer.get(searched..).unwrap_or_default();
            let found = unsearched.windows(mark.len()).position(|at| at == mark);
            if let Some(at) = found {
                return Ok(Some(self.take(searched + at + mark.len())));
            }
            searched = self.buffer.len().saturating_sub(mark.len());
            if !self.more(&mut on_bytes).await? {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// Exactly this number of bytes.
    pub(super) async fn exactly(
        &mut self,
        length: usize,
        mut on_bytes: impl FnMut(&[u8]),
    ) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            if !self.more(&mut on_bytes).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.take(length))
    }

    async fn more(&mut self, on_bytes: &mut impl FnMut(&[u8])) -> io::Result<bool> {
        let mut bytes = vec![0; 64 << 10];
        let length = self.stream.read(&mut bytes).await?;
        bytes.truncate(length);
        on_bytes(&bytes);
        self.buffer.append(&mut bytes);
        Ok(length > 0)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(length);
        std::mem::replace(&mut self.buffer, rest)
    }
}
