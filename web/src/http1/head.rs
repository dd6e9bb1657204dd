//! The strict parser of a request's head.

use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::Uri;
use http::Version;
use http::header::CONNECTION;
use http::header::CONTENT_LENGTH;
use http::header::EXPECT;
use http::header::TRANSFER_ENCODING;
use http::request;
use memchr::memchr_iter;
use memchr::memmem;

use crate::limits::MAX_HEADERS;
use crate::problem::Problem;

/// The end of a head.
const END: &[u8] = b"\r\n\r\n";
/// An empty line, which some clients send after a body.
const EMPTY_LINE: &[u8] = b"\r\n";

/// The head of an unambiguous request.
#[derive(Debug)]
pub(crate) struct Head {
    /// Method, target and headers, including the framing headers, which `headers.rs` does not
    /// forward.
    pub(crate) parts: request::Parts,
    /// The framing of the body.
    pub(crate) framing: Framing,
    /// Whether the client keeps the connection open.
    pub(crate) persistent: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) expects: bool,
}

/// The framing of a body (RFC 9112, 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// Takes a head from the front of `inbox`; `None` while it is incomplete.
///
/// Stricter than RFC 9112 where parsers are known to differ, so that every server behind this one
/// reads the same request: lines end with CR LF, and the body's length is stated once, in one form.
/// One empty line before the request line is skipped (RFC 9112, 2.2); a second one is refused.
///
/// # Errors
/// The problem of a malformed or oversized head: 400, 417, 431 or 505.
pub(crate) fn take(inbox: &mut BytesMut, max_bytes: usize) -> Result<Option<Head>, Problem> {
    if !has_begun(inbox) {
        return Ok(None);
    }
    let start = if inbox.starts_with(EMPTY_LINE) {
        EMPTY_LINE.len()
    } else {
        0
    };
    let text = inbox.get(start..).unwrap_or_default();
    let end = memmem::find(text, END).map(|index| index + END.len());
    let seen = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    if memchr_iter(b'\n', seen).any(|index| index == 0 || seen.get(index - 1) != Some(&b'\r')) {
        return Err(malformed("a line of the head does not end with CR LF"));
    }
    if !seen.first().is_some_and(u8::is_ascii_alphabetic) {
        return Err(malformed("a request must begin with its method"));
    }
    if seen.len() > max_bytes {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let detail = "the head of the request is too long";
        return Err(Problem::new(status, detail));
    }
    match end {
        Some(end) => {
            inbox.advance(start);
            read(&inbox.split_to(end).freeze()).map(Some)
        }
        None => Ok(None),
    }
}

/// Whether a request has begun. An empty line, or half of one, does not count: a client that sends
/// a superfluous line end after a body stays idle, so that its connection is closed in a drain, and
/// the line end does not change a timeout.
pub(super) fn has_begun(inbox: &[u8]) -> bool {
    !EMPTY_LINE.starts_with(inbox)
}

fn read(bytes: &Bytes) -> Result<Head, Problem> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Problem::new(status, "too many headers"));
        }
        Err(httparse::Error::Version) => return Err(unsupported_version()),
        _ => return Err(malformed("the head of the request is malformed")),
    }
    if request.version != Some(1) {
        return Err(unsupported_version());
    }
    let mut parts = request::Request::new(()).into_parts().0;
    parts.version = Version::HTTP_11;
    parts.method = request
        .method
        .and_then(|method| Method::from_bytes(method.as_bytes()).ok())
        .ok_or(malformed("the method is malformed"))?;
    parts.uri = target(bytes, request.path.unwrap_or_default())?;
    parts.headers = fields(bytes, request.headers)?;
    Ok(Head {
        framing: framing(&parts.headers)?,
        persistent: persistent(&parts.headers),
        expects: expects(&parts.headers)?,
        parts,
    })
}

/// Parses the target. A fragment is refused, because the URI parser would drop it.
fn target(bytes: &Bytes, target: &str) -> Result<Uri, Problem> {
    let form = target.starts_with('/') || target.starts_with("https://") || target == "*";
    let uri = Uri::from_maybe_shared(bytes.slice_ref(target.as_bytes()));
    match uri {
        Ok(uri) if form && has_path(&uri) && !target.contains('#') => Ok(uri),
        _ => Err(malformed("the target of the request is malformed")),
    }
}

/// Whether a target has a path: `https://host?query` has none, and would be forwarded without one.
fn has_path(uri: &Uri) -> bool {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    target.starts_with('/') || target == "*"
}

fn fields(bytes: &Bytes, from: &[httparse::Header<'_>]) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::with_capacity(from.len());
    for header in from {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(malformed("a header is malformed"));
        };
        headers.append(name, value);
    }
    Ok(headers)
}

/// The framing of the body, stated once, in one form.
///
/// # Errors
/// 400 otherwise (RFC 9112, 6.3).
fn framing(headers: &HeaderMap) -> Result<Framing, Problem> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    match (
        lengths.next(),
        lengths.next(),
        encodings.next(),
        encodings.next(),
    ) {
        (None, None, None, None) => Ok(Framing::None),
        (Some(length), None, None, None) => digits(length.as_bytes())
            .map(|length| match length {
                0 => Framing::None,
                more => Framing::Length(more),
            })
            .ok_or(malformed("Content-Length is not a number")),
        (None, None, Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Ok(Framing::Chunked)
        }
        _ => Err(malformed(
            "the length of the body is stated in more than one way",
        )),
    }
}

/// Parses `1*DIGIT` in canonical form: no sign, no list, no leading zero.
fn digits(text: &[u8]) -> Option<u64> {
    let plain = (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    if !plain || (text.len() > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn persistent(headers: &HeaderMap) -> bool {
    let options = headers.get_all(CONNECTION).iter();
    !options
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

fn expects(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut expectations = headers.get_all(EXPECT).iter();
    match (expectations.next(), expectations.next()) {
        (None, _) => Ok(false),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(true),
        _ => Err(Problem::new(
            StatusCode::EXPECTATION_FAILED,
            "the only supported expectation is 100-continue",
        )),
    }
}

fn malformed(detail: &'static str) -> Problem {
    Problem::bad_request(detail)
}

fn unsupported_version() -> Problem {
    Problem::new(
        StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        "only HTTP/1.1 and HTTP/2 are supported",
    )
}

#[cfg(test)]
mod tests;
