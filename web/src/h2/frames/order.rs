//! The order of frames, where `h2` accepts frames that RFC 9113 forbids.

use super::CONTINUATION;
use super::FrameHead;
use super::HEADERS;
use super::PUSH_PROMISE;
use super::SETTINGS;
use super::without_reserved_bit;

/// Flag of SETTINGS: an acknowledgement.
const ACK: u8 = 0x1;
/// Flag of the last frame of a field block.
const END_HEADERS: u8 = 0x4;
/// Flag of HEADERS: the payload begins with the padding length.
const PADDED: u8 = 0x8;
/// Flag of HEADERS: the payload has a stream dependency and a weight.
pub(super) const PRIORITY: u8 = 0x20;
/// Length of the stream dependency, in bytes.
const DEPENDENCY_BYTES: usize = 4;

/// A check of the frame order that RFC 9113 requires. A violation is a connection error.
#[derive(Debug)]
pub(super) struct FrameOrder {
    expected: Expected,
    is_violated: bool,
    dependency: Option<Dependency>,
}

/// The expected next frame.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// The client's SETTINGS, after the preface (3.4).
    Settings,
    /// The rest of a stream's field block (6.2).
    Continuation(u32),
    /// Any frame that a client may send.
    Any,
}

/// The stream dependency in HEADERS, while its bytes are received.
#[derive(Debug)]
struct Dependency {
    stream: u32,
    /// Payload bytes before the dependency.
    skipped: usize,
    bytes: [u8; DEPENDENCY_BYTES],
    filled: usize,
}

impl FrameOrder {
    pub(super) fn new() -> Self {
        Self {
            expected: Expected::Settings,
            is_violated: false,
            dependency: None,
        }
    }

    /// Checks the header of a frame.
    pub(super) fn on_frame(&mut self, head: FrameHead) {
        let is_allowed = match self.expected {
            Expected::Settings => head.kind == SETTINGS && head.flags & ACK == 0,
            Expected::Continuation(stream) => head.kind == CONTINUATION && head.stream == stream,
            // A client must not push (8.4).
            Expected::Any => !matches!(head.kind, CONTINUATION | PUSH_PROMISE),
        };
        self.is_violated |= !is_allowed;
        let is_open = matches!(head.kind, HEADERS | CONTINUATION) && head.flags & END_HEADERS == 0;
        self.expected = if is_open {
            Expected::Continuation(head.stream)
        } else {
            Expected::Any
        };
        let has_dependency = head.kind == HEADERS && head.flags & PRIORITY != 0;
        self.dependency = has_dependency.then_some(Dependency {
            stream: head.stream,
            skipped: usize::from(head.flags & PADDED != 0),
            bytes: [0; DEPENDENCY_BYTES],
            filled: 0,
        });
    }

    /// Checks payload of the current frame.
    pub(super) fn on_payload(&mut self, mut bytes: &[u8]) {
        let Some(dependency) = &mut self.dependency else {
            return;
        };
        bytes = bytes
            .get(dependency.skipped.min(bytes.len())..)
            .unwrap_or_default();
        dependency.skipped = 0;
        let targets = dependency.bytes.iter_mut().skip(dependency.filled);
        for (target, byte) in targets.zip(bytes) {
            *target = *byte;
            dependency.filled += 1;
        }
        if dependency.filled < DEPENDENCY_BYTES {
            return;
        }
        // RFC 9113 no longer has this error, but `h2` resets the stream without decompressing its
        // field block. The compression states of the two sides then differ, and later requests
        // would be decoded to other requests than the client sent (4.3).
        self.is_violated |= without_reserved_bit(dependency.bytes) == dependency.stream;
        self.dependency = None;
    }

    pub(super) fn is_violated(&self) -> bool {
        self.is_violated
    }
}
