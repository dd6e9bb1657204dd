//! HTTP/1.1 (RFC 9112): the server, and the encodings that it shares with the client in
//! [`crate::upstream`].
//!
//! Not a library, because request smuggling depends on differences between parsers: what one
//! tolerates (a bare line feed, two lengths) another one behind it may read differently. A head is
//! parsed once, strictly, and encoded in one form. A connection is one task, which also handles its
//! requests.

mod buffered_stream;
pub(crate) mod chunked;
mod coalesced_close;
mod connection;
pub(crate) mod encode;
mod head;
mod request_body;
mod response_head;

pub(crate) use coalesced_close::CoalescedClose;
pub(crate) use connection::serve;
#[cfg(test)]
pub(crate) use head::Framing;
#[cfg(test)]
pub(crate) use head::take;
