//! The HTTP/2 (RFC 9113) server.
//!
//! The `h2` library reads and writes frames. Around it, limits protect other clients: a budget of
//! frames without data and a check of the order of frames (`frames`), a bound of bytes that wait
//! for the client's socket (`write_buffer`), and the progress that each stream must make through
//! the flow-control credit that the client grants (`stream`). A connection is one task, which also
//! handles its streams: responses that are ready together are one write.

mod connection;
mod frames;
mod stream;
mod write_buffer;

pub(crate) use connection::serve;
