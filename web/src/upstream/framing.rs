//! The framing of responses.

use bytes::BytesMut;

use crate::http1::chunked::ChunkError;
use crate::http1::chunked::Chunked;
use crate::http1::chunked::Piece;
use crate::http1::chunked::take;

/// How the end of a response's body is known (RFC 9112, 6.3).
#[derive(Debug)]
pub(super) enum Framing {
    /// As many bytes are to come.
    Length(u64),
    /// The chunked coding says it.
    Chunked(Chunked),
    /// The connection ends with it.
    UntilClose,
}

/// Why what an app sent is not a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FramingError {
    /// Its head is malformed.
    #[error("the response's head is malformed")]
    Head,
    /// Its head is too long, or has too many fields.
    #[error("the response's head is too large")]
    TooLarge,
    /// Its length is given in two ways, or in none.
    #[error("the response's length is ambiguous")]
    Length,
    /// It switches protocols, which was not requested.
    #[error("the response switches protocols")]
    Switch,
    /// Its chunks are malformed.
    #[error("the response's chunks are malformed")]
    Chunk(#[from] ChunkError),
}

impl Framing {
    /// Takes the next part of the body from what was received.
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

    /// Whether the body is complete; not known of chunks before their end was decoded.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::Length(0))
    }
}
