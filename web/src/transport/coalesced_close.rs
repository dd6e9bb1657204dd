//! The end of a TLS connection, in one packet.

use std::io::Write;

use tokio_rustls::server::TlsStream;

use super::deferred_ticket::DeferredTicketStream;

/// Largest payload that is sent together with `close_notify`, in bytes: one TLS record.
const MAX_BYTES: usize = 16 * 1024;

/// A stream that can close together with its last write.
pub(crate) trait CoalescedClose {
    /// Takes the last bytes, and `close_notify` after them, for the next flush: one packet instead of
    /// two. False if they must be written as usual.
    fn write_final(&mut self, bytes: &[u8]) -> bool;
}

impl CoalescedClose for TlsStream<DeferredTicketStream> {
    fn write_final(&mut self, bytes: &[u8]) -> bool {
        let (_, session) = self.get_mut();
        if bytes.len() > MAX_BYTES || session.wants_write() {
            return false;
        }
        // The session's own buffer is empty, and holds more than this.
        let taken = session.writer().write_all(bytes).is_ok();
        if taken {
            session.send_close_notify();
        }
        taken
    }
}
