//! The coalescing of the last response with the close of its connection.

/// A stream that can close together with its last write.
pub(crate) trait CoalescedClose {
    /// Queues the last bytes and `close_notify` for the next flush: one packet instead of two.
    /// Returns false if the bytes must be written as usual.
    fn write_final(&mut self, bytes: &[u8]) -> bool;
}
