//! The parser of upstream response heads.

use std::mem::MaybeUninit;

use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header::CONNECTION;
use http::header::CONTENT_LENGTH;
use http::header::PROXY_AUTHENTICATE;
use http::header::TE;
use http::header::TRAILER;
use http::header::TRANSFER_ENCODING;
use http::header::UPGRADE;
use httparse::Header;
use memchr::memchr_iter;

use super::framing::Framing;
use super::framing::FramingError;
use crate::http1::chunked::Chunked;

/// Maximum length of a head, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Maximum header fields.
const MAX_HEADERS: usize = 64;
/// Maximum interim responses before the final one.
const MAX_INTERIM: u8 = 8;

/// The head of a response, without hop-by-hop fields.
#[derive(Debug)]
pub(super) struct ResponseHead {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the endpoint keeps the connection open.
    pub(super) persistent: bool,
}

/// An incremental parser of a response's head.
#[derive(Debug)]
pub(super) struct ResponseHeadParser {
    /// Whether the request was `HEAD`, so that the response has no body.
    bodiless: bool,
    interim: u8,
    /// The start of the first line that is not complete yet.
    searched: usize,
}

impl ResponseHeadParser {
    pub(super) fn new(bodiless: bool) -> Self {
        Self {
            bodiless,
            interim: 0,
            searched: 0,
        }
    }

    /// Takes the head of the final response from `inbox` once it is complete, and skips interim
    /// responses.
    ///
    /// # Errors
    /// [`FramingError`].
    pub(super) fn find(
        &mut self,
        inbox: &mut BytesMut,
    ) -> Result<Option<ResponseHead>, FramingError> {
        while let Some(end) = self.end(inbox)? {
            let head = parse(&inbox.split_to(end).freeze(), self.bodiless)?;
            if !head.status.is_informational() {
                return Ok(Some(head));
            }
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err(FramingError::Head);
            }
        }
        Ok(None)
    }

    /// Finds the end of the head, after the first empty line. Every line must end with CR LF.
    fn end(&mut self, inbox: &[u8]) -> Result<Option<usize>, FramingError> {
        let from = self.searched;
        let unseen = inbox.get(from..).unwrap_or_default();
        for index in memchr_iter(b'\n', unseen) {
            let end = from + index + 1;
            let line = inbox.get(self.searched..end).unwrap_or_default();
            if !line.ends_with(b"\r\n") {
                return Err(FramingError::Head);
            }
            if end > MAX_HEAD_BYTES {
                break;
            }
            if line.len() == 2 {
                self.searched = 0;
                return Ok(Some(end));
            }
            self.searched = end;
        }
        if inbox.len() < MAX_HEAD_BYTES {
            Ok(None)
        } else {
            Err(FramingError::TooLarge)
        }
    }
}

/// Parses a complete head.
fn parse(bytes: &Bytes, bodiless: bool) -> Result<ResponseHead, FramingError> {
    // `httparse` would skip empty lines before a head.
    if !bytes.starts_with(b"HTTP/1.1 ") {
        return Err(FramingError::Head);
    }
    let mut lines = [const { MaybeUninit::<Header>::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut lines,
    );
    match parsed {
        Ok(httparse::Status::Complete(end)) if end == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(FramingError::TooLarge),
        Ok(_) | Err(_) => return Err(FramingError::Head),
    }
    let status = response
        .code
        .filter(|code| (100..600).contains(code))
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(FramingError::Head)?;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(FramingError::Switch);
    }
    let mut fields = ConnectionFields::default();
    let mut headers = HeaderMap::with_capacity(response.headers.len() + 8);
    for line in response.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(malformed)?;
        if fields.is_end_to_end(&name, line.value)? {
            let value = bytes.slice_ref(line.value);
            let value = HeaderValue::from_maybe_shared(value).map_err(malformed)?;
            headers.try_append(name, value).map_err(malformed)?;
        }
    }
    fields.finish(status, headers, bodiless)
}

fn malformed<E>(_error: E) -> FramingError {
    FramingError::Head
}

/// The fields of a head that concern its body and its connection.
#[derive(Default)]
struct ConnectionFields {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    /// The names that `Connection` lists.
    listed: Vec<HeaderName>,
}

impl ConnectionFields {
    /// Records a hop-by-hop field; returns true for other fields.
    fn is_end_to_end(&mut self, name: &HeaderName, value: &[u8]) -> Result<bool, FramingError> {
        match *name {
            CONTENT_LENGTH => {
                if self.length.replace(length(value)?).is_some() {
                    return Err(FramingError::Length);
                }
            }
            TRANSFER_ENCODING => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(FramingError::Length);
                }
                self.chunked = true;
            }
            CONNECTION => self.connection(value)?,
            TE | TRAILER | UPGRADE | PROXY_AUTHENTICATE => {}
            _ => return Ok(!matches!(name.as_str(), "keep-alive" | "proxy-connection")),
        }
        Ok(false)
    }

    fn connection(&mut self, value: &[u8]) -> Result<(), FramingError> {
        for option in value.split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            if option.eq_ignore_ascii_case(b"close") {
                self.closes = true;
            } else if !option.is_empty() && !option.eq_ignore_ascii_case(b"keep-alive") {
                let name = HeaderName::from_bytes(option).map_err(malformed)?;
                self.listed.push(name);
            }
        }
        Ok(())
    }

    fn finish(
        self,
        status: StatusCode,
        mut headers: HeaderMap,
        bodiless: bool,
    ) -> Result<ResponseHead, FramingError> {
        for name in &self.listed {
            headers.remove(name);
        }
        let never_has_body = status.is_informational() || status == StatusCode::NO_CONTENT;
        let framing = match (self.length, self.chunked) {
            (Some(_), true) => return Err(FramingError::Length),
            // These must not indicate a body (RFC 9110, 8.6; RFC 9112, 6.1).
            (Some(1..), false) | (None, true) if never_has_body => {
                return Err(FramingError::Length);
            }
            (length, _) if never_has_body || bodiless || status == StatusCode::NOT_MODIFIED => {
                // The length of the response to GET: information, not framing.
                if let Some(length) = length.filter(|_| !never_has_body) {
                    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
                }
                Framing::Length(0)
            }
            (Some(length), false) => Framing::Length(length),
            (None, true) => Framing::Chunked(Chunked::default()),
            // The end of the connection ends the body only if the endpoint announced it; with TLS a
            // truncation is then detected.
            (None, false) if self.closes => Framing::UntilClose,
            (None, false) => return Err(FramingError::Length),
        };
        Ok(ResponseHead {
            status,
            headers,
            framing,
            persistent: !self.closes,
        })
    }
}

/// Parses a length: only decimal digits.
fn length(value: &[u8]) -> Result<u64, FramingError> {
    if !(1..=18).contains(&value.len()) || !value.iter().all(u8::is_ascii_digit) {
        return Err(FramingError::Length);
    }
    Ok(value
        .iter()
        .fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}
