//! A request as an origin reads it: only what the edge may send is understood, and nothing is made
//! good.

use std::io;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;

/// The request line of the edge's own question whether an app is ready.
const CHECK: &str = "GET /readyz HTTP/1.1";

/// A request that came whole.
#[derive(Clone, Debug)]
pub struct Message {
    /// The number of the connection it came on.
    pub connection: usize,
    /// Its head, without the empty line.
    pub head: String,
    /// Its body, without framing.
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

    /// The target, as it stands in the request line.
    #[must_use]
    pub fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap_or_default()
    }

    /// Names and values, as they came.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.head.split("\r\n").skip(1);
        lines.map(|line| line.split_once(": ").unwrap_or((line, "")))
    }

    /// The values of a header, its name in small letters.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<&str> {
        let of_name = |field: &(&str, &str)| field.0.eq_ignore_ascii_case(name);
        self.fields()
            .filter(of_name)
            .map(|(_, value)| value)
            .collect()
    }

    /// Whether it is exactly the edge's own question whether an app is ready.
    #[must_use]
    pub fn is_check(&self) -> bool {
        let personal = ["authorization", "cookie", "x-forwarded-for"];
        self.line() == CHECK
            && self.body.is_empty()
            && self.values("host") == ["app.internal"]
            && personal.iter().all(|name| self.values(name).is_empty())
    }
}

/// Whether bytes may become the edge's own question.
pub(super) fn may_be_check(bytes: &[u8]) -> bool {
    let line = CHECK.as_bytes();
    let length = bytes.len().min(line.len());
    bytes.get(..length) == line.get(..length)
}

/// How a body is delimited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
}

/// The framing that a head announces; a word on what is wrong with it otherwise. Only the edge has to
/// write a head in its one form.
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
            length.map(Framing::Length).map_err(|_large| "a length")
        }
        ([], ["chunked"]) => Ok(Framing::Chunked),
        ([], [coding]) if !is_strict && coding.eq_ignore_ascii_case("chunked") => {
            Ok(Framing::Chunked)
        }
        _ => Err("the framing"),
    }
}

/// Whether a head is in the form that the edge gives to every head.
fn canonical(message: &Message) -> Result<(), &'static str> {
    let mut lines = message.head.split("\r\n");
    let line: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    if !matches!(line.as_slice(), [_, target, "HTTP/1.1"] if target.starts_with('/')) {
        return Err("the request line");
    }
    let letters = message.head.replace("\r\n", "");
    if letters.contains(|letter: char| letter.is_control() && letter != '\t') {
        return Err("a control character");
    }
    if lines.any(|line| {
        line.split_once(": ")
            .is_none_or(|(name, _)| !is_token(name))
    }) {
        return Err("a field that is none");
    }
    if message.values("host") != ["app.internal"] {
        return Err("the host");
    }
    Ok(())
}

fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !name.is_empty() && name.bytes().all(allowed)
}

/// Bytes of a connection, read as far as they are asked for.
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

    /// How many bytes came that nobody asked for yet.
    pub(super) fn left(&self) -> usize {
        self.buffer.len()
    }

    /// Everything up to and with a mark. Nothing at a clean end before the first byte.
    pub(super) async fn until(
        &mut self,
        mark: &[u8],
        mut heard: impl FnMut(&[u8]),
    ) -> io::Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            let unsearched = self.buffer.get(searched..).unwrap_or_default();
            let found = unsearched.windows(mark.len()).position(|at| at == mark);
            if let Some(at) = found {
                return Ok(Some(self.take(searched + at + mark.len())));
            }
            searched = self.buffer.len().saturating_sub(mark.len());
            if !self.more(&mut heard).await? {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// So many bytes.
    pub(super) async fn exactly(
        &mut self,
        length: usize,
        mut heard: impl FnMut(&[u8]),
    ) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            if !self.more(&mut heard).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.take(length))
    }

    async fn more(&mut self, heard: &mut impl FnMut(&[u8])) -> io::Result<bool> {
        let mut bytes = vec![0; 64 << 10];
        let length = self.stream.read(&mut bytes).await?;
        bytes.truncate(length);
        heard(&bytes);
        self.buffer.append(&mut bytes);
        Ok(length > 0)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(length);
        std::mem::replace(&mut self.buffer, rest)
    }
}
