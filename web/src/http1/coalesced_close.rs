//! The end of a connection together with its last bytes.

/// A stream that can close together with its last write.
pub(crate) trait CoalescedClose {
    /// Takes the last bytes, and `close_notify` after them, for the next flush: one packet instead of
    /// two. False if they must be written as usual.
    fn write_final(&mut self, bytes: &[u8]) -> bool;
}
