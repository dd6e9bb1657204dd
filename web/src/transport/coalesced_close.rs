//! The coalescing of the last response with `close_notify`.

use std::io::Write;

use tokio_rustls::server::TlsStream;

use super::deferred_ticket::DeferredTicketStream;
use crate::http1::CoalescedClose;

/// Maximum payload sent together with `close_notify`, in bytes: one TLS record.
const MAX_BYTES: usize = 16 * 1024;

impl CoalescedClose for TlsStream<DeferredTicketStream> {
    fn write_final(&mut self, bytes: &[u8]) -> bool {
        let (_, session) = self.get_mut();
        if bytes.len() > MAX_BYTES || session.wants_write() {
            return false;
        }
        // The session's buffer is empty, and larger than `MAX_BYTES`.
        let queued = session.writer().write_all(bytes).is_ok();
        if queued {
            session.send_close_notify();
        }
        queued
    }
}
