//! HTTP/1.1 as this tier speaks it to clients: read once, strictly, and written in one way.
//!
//! Our own, because this is where proxies are fooled: what a library tolerates (a bare line feed, a
//! length said twice) another reader behind it may take differently. A connection is one task, which
//! also does everything for its requests.

mod alarm;
mod answer;
mod connection;
mod head;
mod incoming;

pub(crate) use connection::hold;
#[cfg(test)]
pub(crate) use head::{Framing, take};
