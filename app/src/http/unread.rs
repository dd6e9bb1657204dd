//! Bodies of requests that are refused before they were read.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;

/// Reads what is left of a refused request's body, at most `limit` bytes, and keeps none of it: hyper closes a
/// connection whose request was not read, and the web tier, which is still sending, would lose the response.
pub(crate) async fn discard(body: &mut Body, limit: usize) {
    let mut left = limit;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(remaining) => left = remaining,
            None => return,
        }
    }
}
