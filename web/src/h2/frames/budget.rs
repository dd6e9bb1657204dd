//! A budget of frames without data, against frame floods.

use super::DATA;
use super::FrameHead;
use super::HEADERS;
use super::RST_STREAM;

/// Credit of a new connection, in frames.
const INITIAL_CREDIT: i64 = 256;
/// Maximum credit, in frames.
const MAX_CREDIT: i64 = 4096;
/// Credit for the HEADERS of a stream: its windows are updated, and it may be reset.
const STREAM_CREDIT: i64 = 8;
/// Cost of `RST_STREAM`: more than the stream earned, so that a client cannot reset all its
/// streams.
const RESET_COST: i64 = 10;
/// Payload bytes, in either direction, that earn one frame.
const BYTES_PER_CREDIT: u64 = 1024;
/// Cost of a refused stream, which includes the credit for its HEADERS.
const REFUSED_COST: i64 = STREAM_CREDIT + RESET_COST;

/// The budget of a client's frames without data: PING, SETTINGS, PRIORITY, `WINDOW_UPDATE`,
/// `RST_STREAM`, CONTINUATION, empty DATA, and unknown ones. Such frames cost the server more than
/// the client, which the floods of CVE-2019-9511 to 9518 and CVE-2023-44487 exploit. Streams and
/// data earn credit for them; a client that overdraws its credit is disconnected.
#[derive(Debug)]
pub(super) struct FrameBudget {
    credit: i64,
    /// Payload bytes that have not earned credit yet.
    bytes: u64,
}

impl FrameBudget {
    pub(super) fn new() -> Self {
        Self {
            credit: INITIAL_CREDIT,
            bytes: 0,
        }
    }

    /// Charges or credits a frame of the client.
    pub(super) fn on_frame(&mut self, head: FrameHead) {
        match head.kind {
            DATA if head.length > 0 => self.on_payload(head.length),
            HEADERS => self.credit = (self.credit + STREAM_CREDIT).min(MAX_CREDIT),
            RST_STREAM => self.credit -= RESET_COST,
            _ => self.credit -= 1,
        }
    }

    /// Credits payload that was sent or received.
    pub(super) fn on_payload(&mut self, bytes: usize) {
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        let earned = i64::try_from(self.bytes / BYTES_PER_CREDIT).unwrap_or(MAX_CREDIT);
        self.bytes %= BYTES_PER_CREDIT;
        self.credit = self.credit.saturating_add(earned).min(MAX_CREDIT);
    }

    /// Charges a stream that was refused because the client's share is exhausted.
    pub(super) fn on_refused_stream(&mut self) {
        self.credit -= REFUSED_COST;
    }

    pub(super) fn is_overdrawn(&self) -> bool {
        self.credit < 0
    }
}
