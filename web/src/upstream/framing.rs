use bytes::BytesMut;

use crate::chunked::{ChunkError, Chunked, Piece, take};

/// How the end of an answer's body is known (RFC 9112, 6.3).
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are to come.
    Length(u64),
    /// It is said in the body.
    Chunked(Chunked),
    /// The connection ends.
    UntilClose,
}

/// Why what an app sent is not an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FramingError {
    /// It is not HTTP/1.1 as this tier reads it.
    #[error("the answer's head is malformed")]
    Head,
    /// It is too long, or has too many lines.
    #[error("the answer's head is too large")]
    TooLarge,
    /// It says its body's length in two ways, or in none.
    #[error("the answer's length is ambiguous")]
    Length,
    /// It speaks of something that was not asked for.
    #[error("the answer switches protocols")]
    Switch,
    /// The body's chunks can't be read.
    #[error("the answer's chunks are malformed")]
    Chunk(#[from] ChunkError),
}

impl Framing {
    /// Takes the next piece of the body from what was received.
    pub(super) fn decode(&mut self, inbox: &mut BytesMut) -> Result<Piece, FramingError> {
        match self {
            Self::Length(0) => Ok(Piece::End),
            Self::Length(_) | Self::UntilClose if inbox.is_empty() => Ok(Piece::More),
            Self::Length(left) => {
                let (data, rest) = take(inbox, *left);
                *left = rest;
                Ok(Piece::Data(data))
            }
            Self::UntilClose => Ok(Piece::Data(inbox.split().freeze())),
            Self::Chunked(chunked) => Ok(chunked.decode(inbox)?),
        }
    }

    /// Whether nothing more is to come; not known of chunks before their end was decoded.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Length(0))
    }
}
