//! A budget for frames that carry nothing.

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

const HEAD_BYTES: usize = 9;
/// `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n` (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24;

/// Counts the frames of a client that carry nothing: PING, SETTINGS, PRIORITY, `WINDOW_UPDATE`,
/// `RST_STREAM`, CONTINUATION, empty DATA, and unknown ones. Each costs the server work and the
/// client nothing, which is what the floods of CVE-2019-9511 to 9518 and CVE-2023-44487 exploit.
/// Streams and data earn credit for such frames; a client that overdraws it is disconnected.
#[derive(Debug)]
pub(super) struct FrameBudget {
    credit: i64,
    bytes: u64,
    head: [u8; HEAD_BYTES],
    /// Bytes of the next frame's head that were received.
    filled: usize,
    /// Bytes of the current frame's payload, or of the preface, that are still to come.
    payload: usize,
}

impl FrameBudget {
    pub(super) fn new() -> Self {
        Self {
            credit: INITIAL_CREDIT,
            bytes: 0,
            head: [0; HEAD_BYTES],
            filled: 0,
            payload: PREFACE_BYTES,
        }
    }

    /// Notes what the client sent.
    pub(super) fn on_received(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (payload, rest) = bytes.split_at(self.payload.min(bytes.len()));
            self.payload -= payload.len();
            let (head, rest) = rest.split_at((HEAD_BYTES - self.filled).min(rest.len()));
            for (place, byte) in self.head.iter_mut().skip(self.filled).zip(head) {
                *place = *byte;
            }
            self.filled += head.len();
            if self.filled == HEAD_BYTES {
                self.filled = 0;
                self.begin_frame();
            }
            bytes = rest;
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

    /// The head of a frame is complete (RFC 9113, 4.1): 24 bits of length, 8 of type.
    fn begin_frame(&mut self) {
        let [high, middle, low, kind, ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.payload = usize::try_from(length).unwrap_or(usize::MAX);
        match kind {
            DATA if self.payload > 0 => self.on_payload(self.payload),
            HEADERS => self.credit = (self.credit + STREAM_CREDIT).min(MAX_CREDIT),
            RST_STREAM => self.credit -= RESET_COST,
            _ => self.credit -= 1,
        }
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 1];
        frame.extend(vec![0; length.into()]);
        frame
    }

    fn begun() -> FrameBudget {
        let mut budget = FrameBudget::new();
        budget.on_received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assert!(!budget.is_overdrawn());
        budget
    }

    /// Whether a budget suffices for what is received in pieces of this size.
    fn suffices(mut budget: FrameBudget, bytes: &[u8], piece: usize) -> bool {
        bytes.chunks(piece).all(|piece| {
            budget.on_received(piece);
            !budget.is_overdrawn()
        })
    }

    #[test]
    fn floods_are_cut_off_however_they_are_split() {
        for kind in [DATA, RST_STREAM, 2, 4, PING, WINDOW_UPDATE, 9, 200] {
            let length = if kind == DATA { 0 } else { 8 };
            let flood = frame(kind, length).repeat(300);
            for piece in [1, 10, flood.len()] {
                assert!(!suffices(begun(), &flood, piece), "{kind}");
            }
        }
        let cancelled: Vec<u8> = [frame(HEADERS, 5), frame(RST_STREAM, 4)].concat();
        assert!(!suffices(begun(), &cancelled.repeat(300), 1000));
    }

    #[test]
    fn a_client_that_moves_data_may_update_its_windows() {
        let mut download = begun();
        for _ in 0..1000 {
            download.on_payload(16 * 1024);
            download.on_received(&[frame(WINDOW_UPDATE, 4), frame(WINDOW_UPDATE, 4)].concat());
            assert!(!download.is_overdrawn());
        }
        let request = [
            frame(HEADERS, 40),
            frame(DATA, 200),
            frame(WINDOW_UPDATE, 4),
        ];
        assert!(suffices(begun(), &request.concat().repeat(5000), 1000));
        let cancelled_sometimes = [frame(HEADERS, 5).repeat(5), frame(RST_STREAM, 4)].concat();
        assert!(suffices(begun(), &cancelled_sometimes.repeat(1000), 1000));
    }
}
