//! The decoder of the chunked transfer coding (RFC 9112, 7.1), for requests and responses.

use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;

/// Maximum hexadecimal digits of a chunk size: less than 2^60 bytes.
const MAX_DIGITS: u8 = 15;
/// Maximum bytes of the extensions and trailers of one body, which are discarded.
const MAX_EXTRAS: u16 = 4096;

/// A strict decoder of a chunked body: a size is only hexadecimal digits, and every line ends with
/// CR LF.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    state: State,
    extras: u16,
}

/// The result of a decoding step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A part of the body.
    Data(Bytes),
    /// More bytes are needed.
    More,
    /// The end of the body.
    End,
}

/// A malformed chunked body; the end of the message is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunks are malformed")]
pub(crate) struct ChunkError;

/// The element that the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum State {
    /// A chunk size, or its end after the first digit.
    Size { size: u64, digits: u8 },
    /// The chunk extensions, which are discarded.
    Extension { size: u64 },
    /// The LF after a size.
    SizeEnd { size: u64 },
    /// The data of a chunk, with this many bytes left.
    Data(u64),
    /// The CR after chunk data.
    DataEnd,
    /// The LF after chunk data.
    DataEndLf,
    /// The first byte of a trailer, or the CR of the empty line.
    TrailerStart,
    /// A trailer's name.
    TrailerName,
    /// A trailer's value.
    TrailerValue,
    /// The LF after a trailer.
    TrailerEnd,
    /// The LF of the empty line.
    LastLf,
    /// The body is complete.
    Done,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

impl Chunked {
    /// Whether the end of the body was decoded.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Decodes the next part of the body from the front of `inbox`.
    ///
    /// # Errors
    /// [`ChunkError`].
    pub(crate) fn decode(&mut self, inbox: &mut BytesMut) -> Result<Piece, ChunkError> {
        let mut used = 0;
        for byte in inbox.iter() {
            if matches!(self.state, State::Data(_) | State::Done) {
                break;
            }
            used += 1;
            self.state = self.step(*byte)?;
        }
        inbox.advance(used);
        if let State::Done = self.state {
            return Ok(Piece::End);
        }
        let State::Data(left) = self.state else {
            return Ok(Piece::More);
        };
        if inbox.is_empty() {
            return Ok(Piece::More);
        }
        let (data, left) = take(inbox, left);
        self.state = match left {
            0 => State::DataEnd,
            left => State::Data(left),
        };
        Ok(Piece::Data(data))
    }

    fn step(&mut self, byte: u8) -> Result<State, ChunkError> {
        let next = match (self.state, byte) {
            (State::Size { digits: 1.., size } | State::Extension { size }, b'\r') => {
                State::SizeEnd { size }
            }
            (State::Size { digits: 1.., size }, b';') => State::Extension { size },
            (State::Size { size, digits }, _) => State::Size {
                size: size * 16 + digit(byte)?,
                digits: Some(digits + 1)
                    .filter(|digits| *digits <= MAX_DIGITS)
                    .ok_or(ChunkError)?,
            },
            (State::Extension { size }, _) => self.extra(byte, State::Extension { size })?,
            (State::SizeEnd { size: 0 } | State::TrailerEnd, b'\n') => State::TrailerStart,
            (State::SizeEnd { size }, b'\n') => State::Data(size),
            (State::DataEnd, b'\r') => State::DataEndLf,
            (State::DataEndLf, b'\n') => State::default(),
            (State::TrailerStart, b'\r') => State::LastLf,
            (State::TrailerName, b':') => self.extra(byte, State::TrailerValue)?,
            (State::TrailerStart | State::TrailerName, _) if is_token(byte) => {
                self.extra(byte, State::TrailerName)?
            }
            (State::TrailerValue, b'\r') => State::TrailerEnd,
            (State::TrailerValue, _) => self.extra(byte, State::TrailerValue)?,
            (State::LastLf, b'\n') => State::Done,
            _ => return Err(ChunkError),
        };
        Ok(next)
    }

    /// Counts a discarded byte.
    fn extra(&mut self, byte: u8, next: State) -> Result<State, ChunkError> {
        self.extras += 1;
        let control = (byte < b' ' && byte != b'\t') || byte == 0x7f;
        if control || self.extras > MAX_EXTRAS {
            return Err(ChunkError);
        }
        Ok(next)
    }
}

/// Takes up to `left` bytes from `inbox`. Returns them and the number of bytes left after them.
pub(crate) fn take(inbox: &mut BytesMut, left: u64) -> (Bytes, u64) {
    let most = usize::try_from(left).unwrap_or(usize::MAX);
    let data = inbox.split_to(most.min(inbox.len())).freeze();
    let taken = u64::try_from(data.len()).unwrap_or(u64::MAX);
    (data, left.saturating_sub(taken))
}

fn digit(byte: u8) -> Result<u64, ChunkError> {
    let digit = char::from(byte).to_digit(16).ok_or(ChunkError)?;
    Ok(digit.into())
}

/// A byte of a header's name (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::reference;

    /// Decodes the body at the beginning of `text`, which arrives in steps of `step` bytes. Returns
    /// it and its encoded length; `None` if it is incomplete.
    fn first_body(text: &[u8], step: usize) -> Result<Option<(Vec<u8>, usize)>, ChunkError> {
        let (mut chunked, mut inbox, mut body) = (Chunked::default(), BytesMut::new(), Vec::new());
        let mut received = 0;
        for piece in text.chunks(step) {
            inbox.extend_from_slice(piece);
            received += piece.len();
            loop {
                match chunked.decode(&mut inbox)? {
                    Piece::Data(data) => body.extend_from_slice(&data),
                    Piece::More => break,
                    Piece::End => return Ok(Some((body, received - inbox.len()))),
                }
            }
        }
        Ok(None)
    }

    /// Decodes a body that ends with `text`.
    fn decode(text: &[u8], step: usize) -> Result<Option<Vec<u8>>, ChunkError> {
        let found = first_body(text, step)?;
        Ok(found.and_then(|(body, length)| (length == text.len()).then_some(body)))
    }

    #[test]
    fn chunks_are_decoded_however_they_arrive() {
        let text = b"5\r\nhello\r\n6;name=value\r\n world\r\n0\r\nx-sum: 1\r\n\r\n";
        for step in 1..text.len() {
            assert_eq!(decode(text, step), Ok(Some(b"hello world".to_vec())));
        }
    }

    #[test]
    fn forms_that_parsers_read_differently_are_refused() {
        for text in [
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "-1\r\nhello\r\n0\r\n\r\n",
            "\r\nhello\r\n0\r\n\r\n",
            "0\r\nx : y\r\n\r\n",
            "0\r\nGET / HTTP/1.1\r\n\r\n",
            "10000000000000000\r\nhello\r\n0\r\n\r\n",
            "5\rhello\r\n0\r\n\r\n",
            "5;a\nb\r\nhello\r\n0\r\n\r\n",
            "5;a\0b\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\n x: 1\r\n\r\n",
            "5\r\nhello\r\n0\r\nnothing\r\n\r\n",
            "5\r\nhello\r\n0\r\n: 1\r\n\r\n",
            "5\r\nhello\r\n0\r\n\n",
        ] {
            let refused = (1..text.len()).all(|step| decode(text.as_bytes(), step).is_err());
            assert!(refused, "{text:?}");
        }
        let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(5000));
        assert!(decode(long.as_bytes(), 64).is_err());
        let trailers = format!("0\r\n{}\r\n", "x: yyyyyyyy\r\n".repeat(1000));
        assert!(decode(trailers.as_bytes(), 64).is_err());
    }

    /// Fuzz target: a body is decoded alike however it arrives, and as by a reference decoder.
    #[test]
    fn fuzz_chunked() {
        bolero::check!().for_each(|text: &[u8]| {
            let whole = first_body(text, text.len().max(1));
            assert_eq!(first_body(text, 1), whole);
            if let Ok(Some((body, length))) = whole {
                assert_eq!(reference::chunked(text), Some((body, &text[length..])));
            }
        });
    }

    proptest! {
        #[test]
        fn an_encoded_body_is_decoded(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 0..8),
            step in 1_usize..50,
        ) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend(format!("{:x}\r\n", chunk.len()).bytes());
                text.extend(chunk);
                text.extend(b"\r\n");
            }
            text.extend(b"0\r\n\r\n");
            prop_assert_eq!(decode(&text, step), Ok(Some(chunks.concat())));
        }
    }
}
