//! SPIFFE ids: the names of workloads.

use std::fmt;
use std::str::FromStr;

/// The name of a workload: `spiffe://<trust domain>/<path>`, as in the SPIFFE-ID specification.
///
/// Two ids are equal if their text is equal: only the normalized form is accepted, so a name has
/// exactly one spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpiffeId(String);

/// Maximum length of an id, in bytes: what the SPIFFE-ID specification requires implementations to
/// support.
const MAX_LENGTH: usize = 2048;

impl SpiffeId {
    /// The id of `workload` in `trust_domain`: `spiffe://example.internal/app`.
    ///
    /// # Errors
    /// [`SpiffeIdError`], if the trust domain or the workload has a character that an id must not
    /// have, or is empty or too long.
    pub fn new(trust_domain: &str, workload: &str) -> Result<Self, SpiffeIdError> {
        format!("spiffe://{trust_domain}/{workload}").parse()
    }

    /// The id in the form of a certificate's URI name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LENGTH {
            return Err(SpiffeIdError::TooLong);
        }
        let rest = text
            .strip_prefix("spiffe://")
            .ok_or(SpiffeIdError::Scheme)?;
        let (domain, path) = rest.split_once('/').ok_or(SpiffeIdError::Path)?;
        if domain.is_empty() || !domain.bytes().all(in_trust_domain) {
            return Err(SpiffeIdError::TrustDomain);
        }
        if !path.split('/').all(is_segment) {
            return Err(SpiffeIdError::Path);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not a SPIFFE id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpiffeIdError {
    /// The text does not begin with `spiffe://`.
    #[error("a SPIFFE id begins with spiffe://")]
    Scheme,
    /// The trust domain is empty, or has characters other than `a-z 0-9 . - _`.
    #[error("the trust domain of a SPIFFE id is made of a-z, 0-9, dot, dash and underscore")]
    TrustDomain,
    /// The path is missing, or one of its segments is empty, `.`, `..` or has other characters than
    /// `a-z A-Z 0-9 . - _`.
    #[error(
        "the path of a SPIFFE id is made of segments of letters, digits, dot, dash, underscore"
    )]
    Path,
    /// The text is longer than 2048 bytes.
    #[error("a SPIFFE id is at most 2048 bytes long")]
    TooLong,
}

fn in_trust_domain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
}

fn is_segment(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_a_round_trip_through_text() {
        let id = SpiffeId::new("example.internal", "app").unwrap();
        assert_eq!(id.to_string(), "spiffe://example.internal/app");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_second_spelling_of_a_name_is_refused() {
        for (text, expected) in [
            ("https://example.internal/app", SpiffeIdError::Scheme),
            ("SPIFFE://example.internal/app", SpiffeIdError::Scheme),
            ("spiffe:///app", SpiffeIdError::TrustDomain),
            ("spiffe://Stack.Internal/app", SpiffeIdError::TrustDomain),
            (
                "spiffe://user@example.internal/app",
                SpiffeIdError::TrustDomain,
            ),
            (
                "spiffe://example.internal:443/app",
                SpiffeIdError::TrustDomain,
            ),
            ("spiffe://example.internal", SpiffeIdError::Path),
            ("spiffe://example.internal/", SpiffeIdError::Path),
            ("spiffe://example.internal/app/", SpiffeIdError::Path),
            ("spiffe://example.internal/web/../app", SpiffeIdError::Path),
            ("spiffe://example.internal/app?x", SpiffeIdError::Path),
            ("spiffe://example.internal/%61pp", SpiffeIdError::Path),
        ] {
            assert_eq!(text.parse::<SpiffeId>(), Err(expected), "{text}");
        }
    }
}
