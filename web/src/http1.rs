//! HTTP/1.1 (RFC 9112): the server side, and the encodings that the client side shares with it.
//!
//! Written here and not taken from a library, because this is where proxies are fooled: what one
//! parser tolerates (a bare line feed, two lengths) another one behind it may read differently. A
//! head is parsed once, strictly, and written in one way. A connection is one task, which also does
//! everything for its requests.

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
