//! Sealed values one after the other in an object.

use phi_types::Column;
use phi_types::Sealed;

use crate::ciphertext::FRAME_HEADER_BYTES;
use crate::error::GetError;
use crate::store::MAX_READ_BYTES;
use crate::store::ObjectReader;

/// The sealed values of an object that was written as frames (see [`Ciphertext::framed`](crate::Ciphertext::framed)), in
/// order. One value is held at a time.
///
/// Frames are not authenticated: values that were reordered, left out or repeated are found by what is sealed in them.
pub struct Frames {
    reader: Box<dyn ObjectReader>,
    position: u64,
    max_frame_bytes: usize,
}

/// A frame was not read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The object ends within a frame, or a frame is longer than the reader admits.
    #[error("the object does not consist of frames")]
    Malformed,
    /// The object was not read.
    #[error(transparent)]
    Get(#[from] GetError),
}

impl Frames {
    /// The frames of an object, each of at most `max_frame_bytes` and at most [`MAX_READ_BYTES`].
    #[must_use]
    pub fn new(reader: Box<dyn ObjectReader>, max_frame_bytes: usize) -> Self {
        Self {
            reader,
            position: 0,
            max_frame_bytes: max_frame_bytes.min(MAX_READ_BYTES),
        }
    }

    /// The next value, and none at the end of the object. Its column is what the caller expects; opening it checks that.
    ///
    /// # Errors
    ///
    /// The object is not made of frames, or was not read.
    pub async fn next<C: Column>(&mut self) -> Result<Option<Sealed<C>>, FrameError> {
        if self.position >= self.reader.size() {
            return Ok(None);
        }
        let header = self.take(FRAME_HEADER_BYTES).await?;
        let length = header
            .first_chunk()
            .map(|bytes| u32::from_be_bytes(*bytes))
            .and_then(|length| usize::try_from(length).ok())
            .filter(|length| (1..=self.max_frame_bytes).contains(length))
            .ok_or(FrameError::Malformed)?;
        let value = self.take(length).await?;
        Ok(Some(Sealed::from_bytes(value)))
    }

    /// Exactly this many bytes from the current position.
    async fn take(&mut self, length: usize) -> Result<Vec<u8>, FrameError> {
        let bytes = self.reader.read(self.position, length).await?;
        if bytes.len() != length {
            return Err(FrameError::Malformed);
        }
        let advance = u64::try_from(length).unwrap_or(u64::MAX);
        self.position = self.position.saturating_add(advance);
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests;
