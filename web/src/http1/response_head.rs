//! The encoder of a response head.

use bytes::BufMut;
use bytes::BytesMut;
use http::HeaderMap;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http::header::DATE;
use http::response;

use super::encode::write_header;
use super::encode::write_integer;
use crate::http_date;

/// The framing of a response's body (RFC 9112, 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body (RFC 9110, 6.4.1); a `Content-Length` in the head stays.
    Bodiless,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

impl Framing {
    /// The framing for a status, a request method (`HEAD` or another) and a body of known or
    /// unknown length.
    pub(super) fn of(status: StatusCode, to_head: bool, length: Option<u64>) -> Self {
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match length {
            _ if bodiless || (to_head && length == Some(0)) => Self::Bodiless,
            Some(length) => Self::Length(length),
            None if to_head => Self::Bodiless,
            None => Self::Chunked,
        }
    }
}

/// Writes the head of a response.
pub(super) fn write_head(
    out: &mut BytesMut,
    head: &response::Parts,
    framing: Framing,
    persistent: bool,
) {
    out.reserve(1024);
    out.put_slice(b"HTTP/1.1 ");
    out.put_slice(head.status.as_str().as_bytes());
    out.put_slice(b" ");
    let reason = head.status.canonical_reason().unwrap_or_default();
    out.put_slice(reason.as_bytes());
    out.put_slice(b"\r\n");
    write_fields(out, &head.headers, framing);
    match framing {
        Framing::Bodiless => {}
        Framing::Length(length) => {
            out.put_slice(b"content-length: ");
            write_integer(out, length, 10);
            out.put_slice(b"\r\n");
        }
        Framing::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
    }
    if !head.headers.contains_key(DATE) {
        write_header(out, &DATE, &http_date::now());
    }
    if !persistent {
        out.put_slice(b"connection: close\r\n");
    }
    out.put_slice(b"\r\n");
}

fn write_fields(out: &mut BytesMut, headers: &HeaderMap, framing: Framing) {
    for (name, value) in headers {
        if name == CONTENT_LENGTH && framing != Framing::Bodiless {
            continue;
        }
        write_header(out, name, value);
    }
}

/// Writes a chunk, unless `data` is empty, which would end the body.
pub(super) fn write_chunk(out: &mut BytesMut, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    write_integer(out, u64::try_from(data.len()).unwrap_or(u64::MAX), 16);
    out.put_slice(b"\r\n");
    out.put_slice(data);
    out.put_slice(b"\r\n");
}
