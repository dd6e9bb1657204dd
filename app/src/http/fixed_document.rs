//! Documents that do not change while the process runs: compressed once, and revalidated by entity tag.

use std::io::Write as _;

use access::NotPhi;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;

use crate::http::body::framed;
use crate::http::conditional;
use crate::http::conditional::Precondition;
use crate::http::conditional::Validators;
use crate::http::negotiation::accepts_gzip;

/// A document that is the same for every client.
pub(crate) struct FixedDocument {
    media_type: &'static str,
    /// The entity tag, weak because it is the same with and without compression (RFC 9110, 8.8.3).
    etag: String,
    bytes: Bytes,
    /// The content compressed with gzip. Only fixed documents are compressed: the length of a compressed response
    /// that contains a secret and client input would disclose the secret (BREACH).
    gzip: Bytes,
}

/// How long a client may use a fixed document without revalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// For ever: its path has a hash of its content.
    Immutable,
    /// Not at all: the path is the same in every release.
    Revalidated,
}

impl FixedDocument {
    pub(crate) fn new(media_type: &'static str, content: NotPhi<Bytes>) -> Self {
        let bytes = content.into_inner();
        Self {
            media_type,
            etag: format!("W/\"{}\"", hash(&bytes)),
            gzip: gzip(&bytes),
            bytes,
        }
    }

    /// The response to a `GET`: the content, compressed if the client accepts gzip, or 304.
    pub(crate) fn response(&self, request: &HeaderMap, freshness: Freshness) -> Response {
        let current = Validators {
            etag: &self.etag,
            // The time of the build is not recorded.
            last_modified: None,
        };
        let mut response = match conditional::evaluate(request, current) {
            // `If-Match` cannot fail meaningfully: there are no other versions.
            Precondition::Passed | Precondition::Failed => self.content(request),
            Precondition::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        };
        let cache_control = match freshness {
            Freshness::Immutable => "public, max-age=31536000, immutable",
            Freshness::Revalidated => "no-cache",
        };
        let headers = response.headers_mut();
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(cache_control),
        );
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(etag) = HeaderValue::try_from(&self.etag) {
            headers.insert(header::ETAG, etag);
        }
        response
    }

    fn content(&self, request: &HeaderMap) -> Response {
        let media_type = [(header::CONTENT_TYPE, self.media_type)];
        if accepts_gzip(request) && !self.gzip.is_empty() {
            let coding = [(header::CONTENT_ENCODING, "gzip")];
            return (media_type, coding, body(&self.gzip)).into_response();
        }
        (media_type, body(&self.bytes)).into_response()
    }
}

fn body(bytes: &Bytes) -> Body {
    framed(bytes.clone())
}

/// The bytes compressed with gzip; empty on failure, which cannot occur in memory.
fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    Bytes::from(written.unwrap_or_default())
}

/// The hash that distinguishes versions of a document, in hexadecimal digits.
pub(crate) fn hash(bytes: &[u8]) -> String {
    format!("{:016x}", fingerprint(bytes))
}

/// FNV-1a, 64 bits. It only distinguishes versions of these documents; it has no security purpose.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_fnv_1a() {
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[tokio::test]
    async fn a_document_is_sent_once_to_a_client_that_keeps_it() {
        let content = Bytes::from_static(b"{\"a\": 1}");
        let content = NotPhi::assert(content, "a document of the test");
        let document = FixedDocument::new("application/json", content);
        let first = document.response(&HeaderMap::new(), Freshness::Revalidated);
        assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
        let etag = first.headers()[header::ETAG].clone();
        let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, etag)]);
        let second = document.response(&known, Freshness::Revalidated);
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
        assert!(second.headers().contains_key(header::ETAG));
    }
}
