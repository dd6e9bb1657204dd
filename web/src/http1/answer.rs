//! An answer's head, as it is written.

use std::{
    cell::RefCell,
    time::{Duration, Instant, SystemTime},
};

use bytes::{BufMut, BytesMut};
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, DATE},
    response,
};

use crate::written::{line, number};

/// How the end of an answer's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There can't be a body (RFC 9110, 6.4.1): what the head says of a length stays.
    Bodiless,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

impl Framing {
    /// How an answer to `HEAD` or anything else is framed, given its body's length if that is known.
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

/// Writes the head.
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
            number(out, length, 10);
            out.put_slice(b"\r\n");
        }
        Framing::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
    }
    if !head.headers.contains_key(DATE) {
        write_date(out);
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
        line(out, name, value);
    }
}

/// A chunk of the body.
pub(super) fn write_chunk(out: &mut BytesMut, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    number(out, u64::try_from(data.len()).unwrap_or(u64::MAX), 16);
    out.put_slice(b"\r\n");
    out.put_slice(data);
    out.put_slice(b"\r\n");
}

/// `Date`, which changes once a second (RFC 9110, 6.6.1).
fn write_date(out: &mut BytesMut) {
    thread_local! {
        static DATE: RefCell<Option<(Instant, String)>> = const { RefCell::new(None) };
    }
    DATE.with_borrow_mut(|date| {
        let now = Instant::now();
        let fresh = date
            .take()
            .filter(|(made, _)| now.duration_since(*made) < Duration::from_millis(500));
        let (made, text) = fresh.unwrap_or_else(|| {
            #[expect(clippy::disallowed_methods, reason = "an answer is dated")]
            let date = SystemTime::now();
            (now, format!("date: {}\r\n", httpdate::fmt_http_date(date)))
        });
        out.put_slice(text.as_bytes());
        *date = Some((made, text));
    });
}
