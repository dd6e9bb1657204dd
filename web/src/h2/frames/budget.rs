//! A budget for frames that carry nothing.

use super::DATA;
use super::FrameHead;
use super::HEADERS;
use super::RST_STREAM;

/// Frames that a connection may send before it has earned any.
const INITIAL_CREDIT: i64 = 256;
/// The most credit that can be saved up.
const MAX_CREDIT: i64 = 4096;
/// Credit for a stream's HEADERS: the stream may be reset, and its windows are updated.
const STREAM_CREDIT: i64 = 8;
/// Cost of resetting a stream: a client that does nothing else is not in good faith.
const RESET_COST: i64 = 10;
/// Payload bytes that earn one frame, in either direction.
const BYTES_PER_CREDIT: u64 = 1024;
/// Cost of a stream beyond the client's share, above what its HEADERS earn.
const REFUSED_COST: i64 = STREAM_CREDIT + RESET_COST;

/// Counts the frames of a client that carry nothing: PING, SETTINGS, PRIORITY, `WINDOW_UPDATE`,
/// `RST_STREAM`, CONTINUATION, empty DATA, and unknown ones. Each costs the server work and the
/// client nothing, which is what the floods of CVE-2019-9511 to 9518 and CVE-2023-44487 exploit.
/// Streams and data earn credit for such frames; a client that overdraws it is disconnected.
#[derive(Debug)]
pub(super) struct FrameBudget {
    credit: i64,
    /// Bytes of payload that have not earned credit yet.
    bytes: u64,
}

impl FrameBudget {
    pub(super) fn new() -> Self {
        Self {
            credit: INITIAL_CREDIT,
            bytes: 0,
        }
    }

    /// Notes a frame of the client.
    pub(super) fn on_frame(&mut self, head: FrameHead) {
        match head.kind {
            DATA if head.length > 0 => self.on_payload(head.length),
            HEADERS => self.credit = (self.credit + STREAM_CREDIT).min(MAX_CREDIT),
            RST_STREAM => self.credit -= RESET_COST,
            _ => self.credit -= 1,
        }
    }

    /// Notes payload of a response that was sent, or of a request that was received.
    pub(super) fn on_payload(&mut self, bytes: usize) {
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        let earned = i64::try_from(self.bytes / BYTES_PER_CREDIT).unwrap_or(MAX_CREDIT);
        self.bytes %= BYTES_PER_CREDIT;
        self.credit = self.credit.saturating_add(earned).min(MAX_CREDIT);
    }

    /// Notes a stream that was refused because the client has its share.
    pub(super) fn on_refused_stream(&mut self) {
        self.credit -= REFUSED_COST;
    }

    pub(super) fn is_overdrawn(&self) -> bool {
        self.credit < 0
    }
}
