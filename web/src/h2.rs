//! HTTP/2 (RFC 9113) with clients.
//!
//! The `h2` library reads and writes frames. Around it stand what keeps one client from costing
//! others: a budget for frames that carry nothing and the order of frames (`frames`), a bound of what
//! waits for the client's socket (`write_buffer`), and the progress that each stream must make by the flow-control credit
//! that the client grants (`stream`). A connection is one task, which also does everything for its
//! streams: responses that are ready together are one write.

mod connection;
mod frames;
mod stream;
mod write_buffer;

pub(crate) use connection::serve;
