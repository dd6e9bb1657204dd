//! Unread bodies of requests that are refused early.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;

/// Reads and discards the rest of a refused request's body, at most `limit` bytes. hyper closes the connection of an
/// unread request, and the web tier, which is still sending, would lose the response.
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
