use std::io::Write;

use certs::listener::LateTicket;
use tokio_rustls::server::TlsStream;

/// The longest that is said with the goodbye: a TLS record.
const LONGEST: usize = 16 * 1024;

/// A stream that can say with its last bytes that they are the last.
pub(crate) trait Parting {
    /// Takes the last bytes, and the goodbye after them, to be sent by the next flush: one packet
    /// instead of two. False if they have to be written as all others are.
    fn take_last(&mut self, bytes: &[u8]) -> bool;
}

impl Parting for TlsStream<LateTicket> {
    fn take_last(&mut self, bytes: &[u8]) -> bool {
        let (_, session) = self.get_mut();
        if bytes.len() > LONGEST || session.wants_write() {
            return false;
        }
        // It is less than the session's own buffer holds, and that is empty.
        let taken = session.writer().write_all(bytes).is_ok();
        if taken {
            session.send_close_notify();
        }
        taken
    }
}
