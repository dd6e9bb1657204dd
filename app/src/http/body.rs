//! Bodies whose memory is reserved: requests under `/fhir`, and responses with stored records.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use axum::body::Body;
use axum::body::HttpBody as _;
use bytes::Bytes;
use fhir::parsed_bytes;
use http_body::Frame;
use http_body::SizeHint;
use http_body_util::BodyExt as _;
use zeroize::Zeroizing;

use crate::http::problem::Problem;
use crate::http::unread::discard;
use crate::limits::RESPONSE_FRAME_BYTES;
use crate::services::budget::Budget;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;

/// A completely read request body, with its memory reservation.
#[derive(Debug)]
pub(crate) struct RequestBody {
    bytes: Zeroizing<Vec<u8>>,
    reserved: Reservation,
}

impl RequestBody {
    /// Reads a body of at most `limit` bytes. Memory is reserved for the bytes received, not for the announced length, so
    /// that a slow client occupies little.
    ///
    /// # Errors
    ///
    /// [`Problem::TooLarge`]; [`Problem::BadRequest`] for an incomplete body; [`Problem::Unavailable`] if the caller's
    /// share of the memory, or all of it, is in use.
    pub(crate) async fn read(
        memory: &Budget,
        share: CallerId,
        mut body: Body,
        limit: usize,
    ) -> Result<Self, Problem> {
        let read = Self::read_within(memory, share, &mut body, limit).await;
        if read.is_err() {
            discard(&mut body, limit).await;
        }
        read
    }

    async fn read_within(
        memory: &Budget,
        share: CallerId,
        body: &mut Body,
        limit: usize,
    ) -> Result<Self, Problem> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limit {
            return Err(Problem::TooLarge);
        }
        let mut reserved = memory.reserve(share, 0)?;
        // Capacity costs nothing yet: the kernel provides pages when they are written.
        let mut bytes = Zeroizing::new(Vec::with_capacity(announced));
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|_incomplete| Problem::BadRequest("The request cannot be read."))?;
            // Trailers are ignored.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if data.len() > limit - bytes.len() {
                return Err(Problem::TooLarge);
            }
            reserved.grow(data.len())?;
            bytes.extend_from_slice(&data);
        }
        Ok(Self { bytes, reserved })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reserves the memory of the parsed document, and parses the body, which is kept to be parsed again.
    ///
    /// # Errors
    ///
    /// See [`Self::parse`].
    pub(crate) fn parse_kept<T, E: From<Problem>>(
        &self,
        memory: &Budget,
        share: CallerId,
        parser: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<(T, Reservation), E> {
        let cost = parsed_bytes(&self.bytes);
        if !memory.admits(cost.saturating_add(self.bytes.len())) {
            return Err(Problem::TooLarge.into());
        }
        let reserved = memory.reserve(share, cost).map_err(Problem::from)?;
        Ok((parser(&self.bytes)?, reserved))
    }

    /// Reserves the memory of the parsed document, parses the body, and releases the memory of its bytes.
    ///
    /// # Errors
    ///
    /// [`Problem::TooLarge`] for a document that exceeds any caller's share; [`Problem::Unavailable`] if the memory is in
    /// use; the parser's error.
    pub(crate) fn parse<T, E: From<Problem>>(
        mut self,
        memory: &Budget,
        parser: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<(T, Reservation), E> {
        // Estimated and reserved before parsing, because the tree may be a hundred times as long as the body.
        let cost = parsed_bytes(&self.bytes);
        if !memory.admits(cost.saturating_add(self.bytes.len())) {
            return Err(Problem::TooLarge.into());
        }
        self.reserved.grow(cost).map_err(Problem::from)?;
        let parsed = parser(&self.bytes)?;
        drop(self.bytes);
        self.reserved.shrink_to(cost);
        Ok((parsed, self.reserved))
    }
}

/// A response body, whose reservation is released after it is sent.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    bytes: Zeroizing<Vec<u8>>,
    _reserved: Option<Reservation>,
}

impl ResponseBody {
    /// A body with a reservation, which is reduced to its length.
    pub(crate) fn reserved(bytes: Zeroizing<Vec<u8>>, mut reserved: Reservation) -> Self {
        reserved.shrink_to(bytes.len());
        Self {
            bytes,
            _reserved: Some(reserved),
        }
    }

    /// A body of a few kilobytes, without a reservation.
    pub(crate) fn small(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self {
            bytes,
            _reserved: None,
        }
    }
}

impl AsRef<[u8]> for ResponseBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<ResponseBody> for Body {
    fn from(body: ResponseBody) -> Self {
        framed(Bytes::from_owner(body))
    }
}

/// A body that is sent in frames of limited length.
pub(crate) fn framed(bytes: Bytes) -> Body {
    Body::new(FramedBody(bytes))
}

/// A body that is sent in frames of limited length: hyper copies each frame before encryption, so a single frame would
/// use the memory of the response twice.
struct FramedBody(Bytes);

impl http_body::Body for FramedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.0.len().min(RESPONSE_FRAME_BYTES);
        let frame = (length > 0).then(|| Ok(Frame::data(self.0.split_to(length))));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.0.len()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::error::ServiceError;

    async fn read(body: Body, limit: usize) -> Result<usize, Problem> {
        let memory = Budget::of_memory();
        let share = CallerId::for_tests(1);
        let read = RequestBody::read(&memory, share, body, limit).await;
        read.map(|body| body.bytes().len())
    }

    #[tokio::test]
    async fn the_limit_applies_with_and_without_an_announced_length() {
        let chunks = |count: usize| {
            let chunk = || Ok::<_, ServiceError>(Bytes::from_static(b"12345"));
            Body::from_stream(futures::stream::iter(
                std::iter::repeat_with(chunk).take(count),
            ))
        };
        assert_eq!(read(Body::from("1234567890"), 10).await, Ok(10));
        assert_eq!(
            read(Body::from("1234567890"), 9).await,
            Err(Problem::TooLarge)
        );
        assert_eq!(read(chunks(2), 10).await, Ok(10));
        assert_eq!(read(chunks(3), 10).await, Err(Problem::TooLarge));
    }

    #[tokio::test]
    async fn a_document_that_would_be_too_large_is_refused_before_parsing() {
        let memory = Budget::of_memory();
        let many = format!("[{}1]", "[1],".repeat(400_000));
        let body =
            RequestBody::read(&memory, CallerId::for_tests(1), Body::from(many), 8 << 20).await;
        let parsed = body
            .unwrap()
            .parse(&memory, |_| Err::<(), _>(Problem::Internal));
        assert!(matches!(parsed, Err(Problem::TooLarge)));
    }
}
