//! A monitor of a client's frames, beside the `h2` library that reads them.

mod budget;
mod order;
#[cfg(test)]
mod tests;

use h2::Reason;

use budget::FrameBudget;
use order::FrameOrder;

/// Length of a frame header, in bytes (RFC 9113, 4.1).
const HEAD_BYTES: usize = 9;
/// Length of `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n` (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24;

/// Frame types (RFC 9113, 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;

/// The monitor of a client's frames: finds those that must end the connection.
#[derive(Debug)]
pub(super) struct FrameMonitor {
    budget: FrameBudget,
    order: FrameOrder,
    head: [u8; HEAD_BYTES],
    /// Bytes received of the next frame's header.
    filled: usize,
    /// Bytes outstanding of the current frame's payload, or of the preface.
    payload: usize,
}

/// The header of a frame (RFC 9113, 4.1).
#[derive(Clone, Copy, Debug)]
struct FrameHead {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl FrameHead {
    fn parse(bytes: [u8; HEAD_BYTES]) -> Self {
        let [high, middle, low, kind, flags, stream @ ..] = bytes;
        let length = u32::from_be_bytes([0, high, middle, low]);
        Self {
            length: usize::try_from(length).unwrap_or(usize::MAX),
            kind,
            flags,
            stream: without_reserved_bit(stream),
        }
    }
}

/// The 31 bits of a stream identifier.
fn without_reserved_bit(bytes: [u8; 4]) -> u32 {
    u32::from_be_bytes(bytes) & (u32::MAX >> 1)
}

impl FrameMonitor {
    pub(super) fn new() -> Self {
        Self {
            budget: FrameBudget::new(),
            order: FrameOrder::new(),
            head: [0; HEAD_BYTES],
            filled: 0,
            payload: PREFACE_BYTES,
        }
    }

    /// Parses bytes from the client.
    pub(super) fn on_received(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (payload, rest) = bytes.split_at(self.payload.min(bytes.len()));
            self.payload -= payload.len();
            self.order.on_payload(payload);
            let (head, rest) = rest.split_at((HEAD_BYTES - self.filled).min(rest.len()));
            for (target, byte) in self.head.iter_mut().skip(self.filled).zip(head) {
                *target = *byte;
            }
            self.filled += head.len();
            if self.filled == HEAD_BYTES {
                self.filled = 0;
                let head = FrameHead::parse(self.head);
                self.payload = head.length;
                self.budget.on_frame(head);
                self.order.on_frame(head);
            }
            bytes = rest;
        }
    }

    /// Credits sent payload of a response.
    pub(super) fn on_sent(&mut self, bytes: usize) {
        self.budget.on_payload(bytes);
    }

    /// Charges a stream that was refused because the client's share is exhausted.
    pub(super) fn on_refused_stream(&mut self) {
        self.budget.on_refused_stream();
    }

    /// The connection error that the frames have caused, if any.
    pub(super) fn error(&self) -> Option<Reason> {
        if self.order.is_violated() {
            Some(Reason::PROTOCOL_ERROR)
        } else if self.budget.is_overdrawn() {
            Some(Reason::ENHANCE_YOUR_CALM)
        } else {
            None
        }
    }
}
