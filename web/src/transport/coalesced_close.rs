//! The end of a TLS connection in one packet: the last bytes and `close_notify`.

use std::io::Write;

use tokio_rustls::server::TlsStream;

use super::deferred_ticket::DeferredTicketStream;
use crate::http1::CoalescedClose;

/// Largest payload that is sent together with `close_notify`, in bytes: one TLS record.
const MAX_BYTES: usize = 16 * 1024;

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
