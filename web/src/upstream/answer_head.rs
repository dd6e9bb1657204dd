use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        CONNECTION, CONTENT_LENGTH, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};
use httparse::Header;
use memchr::memchr_iter;

use super::framing::{Framing, FramingError};
use crate::chunked::Chunked;

/// The longest head of an answer.
const HEAD: usize = 32 * 1024;
/// The most headers of an answer.
const HEADERS: usize = 64;
/// The most interim answers before the one that counts.
const INTERIM: u8 = 8;

/// The head of an answer, without what concerns the connection alone.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// The app goes on with this connection.
    pub(super) keeps: bool,
}

/// Finds the head of an answer in what was received.
#[derive(Debug)]
pub(super) struct Heads {
    /// A `HEAD` was asked: there is no body, whatever the head says of one.
    bodiless: bool,
    interim: u8,
    /// Up to the line that begins here, the head's end was searched for.
    searched: usize,
}

impl Heads {
    pub(super) fn new(bodiless: bool) -> Self {
        Self {
            bodiless,
            interim: 0,
            searched: 0,
        }
    }

    /// The head of the final answer, once it is there. Interim answers are passed over.
    pub(super) fn find(
        &mut self,
        inbox: &mut BytesMut,
    ) -> Result<Option<AnswerHead>, FramingError> {
        while let Some(end) = self.end(inbox)? {
            let head = parse(&inbox.split_to(end).freeze(), self.bodiless)?;
            if !head.status.is_informational() {
                return Ok(Some(head));
            }
            self.interim += 1;
            if self.interim > INTERIM {
                return Err(FramingError::Head);
            }
        }
        Ok(None)
    }

    /// Where the head ends: after the first empty line. Every line ends with CR LF.
    fn end(&mut self, inbox: &[u8]) -> Result<Option<usize>, FramingError> {
        let from = self.searched;
        let unseen = inbox.get(from..).unwrap_or_default();
        for at in memchr_iter(b'\n', unseen) {
            let end = from + at + 1;
            let line = inbox.get(self.searched..end).unwrap_or_default();
            if !line.ends_with(b"\r\n") {
                return Err(FramingError::Head);
            }
            if end > HEAD {
                break;
            }
            if line.len() == 2 {
                self.searched = 0;
                return Ok(Some(end));
            }
            self.searched = end;
        }
        if inbox.len() < HEAD {
            Ok(None)
        } else {
            Err(FramingError::TooLarge)
        }
    }
}

/// Reads a head that ends where `bytes` do.
fn parse(bytes: &Bytes, bodiless: bool) -> Result<AnswerHead, FramingError> {
    // The parser would pass over empty lines before a head.
    if !bytes.starts_with(b"HTTP/1.1 ") {
        return Err(FramingError::Head);
    }
    let mut lines = [const { MaybeUninit::<Header>::uninit() }; HEADERS];
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
    let mut reading = Reading::default();
    let mut headers = HeaderMap::with_capacity(response.headers.len() + 8);
    for line in response.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(head)?;
        if reading.notes(&name, line.value)? {
            let value = bytes.slice_ref(line.value);
            let value = HeaderValue::from_maybe_shared(value).map_err(head)?;
            headers.try_append(name, value).map_err(head)?;
        }
    }
    reading.finish(status, headers, bodiless)
}

fn head<E>(_said_by_the_variant: E) -> FramingError {
    FramingError::Head
}

/// What a head says of its body and its connection.
#[derive(Default)]
struct Reading {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    /// Names that `Connection` lists.
    listed: Vec<HeaderName>,
}

impl Reading {
    /// Notes what a header says of the connection, and tells whether it is for anyone else.
    fn notes(&mut self, name: &HeaderName, value: &[u8]) -> Result<bool, FramingError> {
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
                let name = HeaderName::from_bytes(option).map_err(head)?;
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
    ) -> Result<AnswerHead, FramingError> {
        for name in &self.listed {
            headers.remove(name);
        }
        let never = status.is_informational() || status == StatusCode::NO_CONTENT;
        let framing = match (self.length, self.chunked) {
            (Some(_), true) => return Err(FramingError::Length),
            // They may not even speak of a body (RFC 9110, 8.6; RFC 9112, 6.1).
            (Some(1..), false) | (None, true) if never => return Err(FramingError::Length),
            (length, _) if never || bodiless || status == StatusCode::NOT_MODIFIED => {
                // What another request would have got: worth knowing, and nobody's framing.
                if let Some(length) = length.filter(|_| !never) {
                    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
                }
                Framing::Length(0)
            }
            (Some(length), false) => Framing::Length(length),
            (None, true) => Framing::Chunked(Chunked::default()),
            // The end of the connection is the end of the body only for an app that says so: TLS
            // then tells it from a cut.
            (None, false) if self.closes => Framing::UntilClose,
            (None, false) => return Err(FramingError::Length),
        };
        Ok(AnswerHead {
            status,
            headers,
            framing,
            keeps: !self.closes,
        })
    }
}

/// A length in decimal digits and nothing else.
fn length(value: &[u8]) -> Result<u64, FramingError> {
    if !(1..=18).contains(&value.len()) || !value.iter().all(u8::is_ascii_digit) {
        return Err(FramingError::Length);
    }
    Ok(value
        .iter()
        .fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}
