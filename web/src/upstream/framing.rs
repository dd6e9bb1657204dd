//! The framing of responses.

use bytes::BytesMut;

use crate::http1::chunked::ChunkError;
use crate::http1::chunked::Chunked;
use crate::http1::chunked::Piece;
use crate::http1::chunked::take;

/// The framing of a response's body (RFC 9112, 6.3).
#[derive(Debug)]
pub(super) enum Framing {
    /// `Content-Length`: this many bytes are outstanding.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked(Chunked),
    /// The body ends with the connection.
    UntilClose,
}

/// A malformed response of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FramingError {
    /// The head is malformed.
    #[error("the response's head is malformed")]
    Head,
    /// The head is too long, or has too many fields.
    #[error("the response's head is too large")]
    TooLarge,
    /// The length is stated in two ways, or not at all.
    #[error("the response's length is ambiguous")]
    Length,
    /// The response switches protocols, which was not requested.
    #[error("the response switches protocols")]
    Switch,
    /// The chunks are malformed.
    #[error("the response's chunks are malformed")]
    Chunk(#[from] ChunkError),
}

impl Framing {
    /// Decodes the next part of the body from the front of `inbox`.
    ///
    /// # Errors
    /// [`FramingError::Chunk`].
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

    /// Whether the body is complete; for chunks known only once their end is decoded.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::Length(0))
    }
}
