/// Frames that a connection may send before it has earned any.
const CREDIT: i64 = 256;
/// The most that can be saved up.
const MOST: i64 = 4096;
/// What a stream's HEADERS earn: its end may be a `RST_STREAM`, and windows are updated meanwhile.
const STREAM: i64 = 8;
/// What giving a stream up costs: a client that only ever does so is not in good faith.
const RESET: i64 = 10;
/// Bytes that earn one frame, in either direction: whoever takes an answer tells so now and then.
const BYTES: u64 = 1024;

const HEAD: usize = 9;

/// Counts the HTTP/2 frames that a client sends and that move nothing: PING, SETTINGS, PRIORITY,
/// `WINDOW_UPDATE`, `RST_STREAM`, CONTINUATION, empty DATA and whatever is unknown. Each costs us work
/// and the client nothing, which is what the floods of CVE-2019-9511 to 9518 and CVE-2023-44487
/// live on. What moves (streams, data) earns such frames; whoever spends more is cut off.
#[derive(Debug)]
pub(super) struct Frames {
    credit: i64,
    bytes: u64,
    head: [u8; HEAD],
    /// How much of the next frame's head is there.
    filled: usize,
    /// How much of the current frame's payload, or of the preface, is still to come.
    payload: usize,
}

/// `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n` (RFC 9113, 3.4).
const PREFACE: usize = 24;

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            credit: CREDIT,
            bytes: 0,
            head: [0; HEAD],
            filled: 0,
            payload: PREFACE,
        }
    }

    /// Takes note of what the client sent. False when it has overspent.
    pub(super) fn received(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let (payload, rest) = bytes.split_at(self.payload.min(bytes.len()));
            self.payload -= payload.len();
            let (head, rest) = rest.split_at((HEAD - self.filled).min(rest.len()));
            for (place, byte) in self.head.iter_mut().skip(self.filled).zip(head) {
                *place = *byte;
            }
            self.filled += head.len();
            if self.filled == HEAD {
                self.filled = 0;
                self.begin_frame();
            }
            bytes = rest;
        }
        self.credit >= 0
    }

    /// So much of an answer went out, or of a request came in.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        let earned = i64::try_from(self.bytes / BYTES).unwrap_or(MOST);
        self.bytes %= BYTES;
        self.credit = self.credit.saturating_add(earned).min(MOST);
    }

    /// A frame's head is whole (RFC 9113, 4.1): 24 bits of length, 8 of type.
    fn begin_frame(&mut self) {
        let [high, middle, low, kind, ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.payload = usize::try_from(length).unwrap_or(usize::MAX);
        match kind {
            DATA if self.payload > 0 => self.moved(self.payload),
            HEADERS => self.credit = (self.credit + STREAM).min(MOST),
            RST_STREAM => self.credit -= RESET,
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

    fn begun() -> Frames {
        let mut frames = Frames::new();
        assert!(frames.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        frames
    }

    #[test]
    fn floods_are_cut_off_however_they_are_split() {
        for kind in [DATA, RST_STREAM, 2, 4, PING, WINDOW_UPDATE, 9, 200] {
            let length = if kind == DATA { 0 } else { 8 };
            let flood = frame(kind, length).repeat(300);
            assert!(!begun().received(&flood), "{kind}");
            let mut bytewise = begun();
            assert!(!flood.iter().all(|byte| bytewise.received(&[*byte])));
        }
        let cancelled: Vec<u8> = [frame(HEADERS, 5), frame(RST_STREAM, 4)].concat();
        assert!(!begun().received(&cancelled.repeat(300)));
    }

    #[test]
    fn whoever_moves_data_may_say_so() {
        let mut download = begun();
        for _ in 0..1000 {
            download.moved(16 * 1024);
            let told = [frame(WINDOW_UPDATE, 4), frame(WINDOW_UPDATE, 4)].concat();
            assert!(download.received(&told));
        }
        let request = [
            frame(HEADERS, 40),
            frame(DATA, 200),
            frame(WINDOW_UPDATE, 4),
        ]
        .concat();
        assert!(begun().received(&request.repeat(5000)));
        let cancelled_now_and_then = [frame(HEADERS, 5).repeat(5), frame(RST_STREAM, 4)].concat();
        assert!(begun().received(&cancelled_now_and_then.repeat(1000)));
    }
}
