//! The id of one request, in both tiers.

use std::fmt;
use std::str::FromStr;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use uuid::Uuid;

/// The header that carries a [`RequestId`]: in the request to the app tier, and in the response to the client.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of one request in both tiers: in every log line, in every error response, in the audit
/// event. Random, so that it reveals nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new id. The web tier generates one for every request, and ignores a client's.
    #[must_use]
    pub fn random() -> Self {
        #[expect(clippy::disallowed_methods, reason = "nothing depends on its value")]
        Self(Uuid::new_v4())
    }

    /// The id that the web tier set, if the header occurs exactly once and contains a UUID.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(X_REQUEST_ID).iter();
        match (values.next(), values.next()) {
            (Some(only), None) => only.to_str().ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The id as a header's value.
    #[must_use]
    pub fn header_value(self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).unwrap_or(HeaderValue::from_static(""))
    }

    /// The id as a UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for RequestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_header() {
        let id = RequestId::random();
        let headers = HeaderMap::from_iter([(X_REQUEST_ID, id.header_value())]);
        assert_eq!(RequestId::from_headers(&headers), Some(id));
    }

    #[test]
    fn two_ids_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(X_REQUEST_ID, RequestId::random().header_value());
        headers.append(X_REQUEST_ID, RequestId::random().header_value());
        assert_eq!(RequestId::from_headers(&headers), None);
    }
}
