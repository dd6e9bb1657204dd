//! The claims of an assertion (RFC 7523, 3).

use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::AssertionError;
use super::MAX_LIFETIME;
use super::MAX_SKEW;

/// Maximum length of the id of an assertion, in bytes: clients send UUIDs, and hashes in hexadecimal digits.
const MAX_JTI_BYTES: usize = 256;

/// The claims that are read; others are ignored (RFC 7519, 4). A claim that is there twice is refused.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    /// The id, which the client gives to one assertion only.
    pub(super) jti: String,
}

/// One audience. An assertion for several servers could be replayed by one of them at another.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    Text(String),
    List([String; 1]),
}

impl Claims {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, AssertionError> {
        let claims: Self =
            serde_json::from_slice(payload).map_err(|_malformed| AssertionError::Claims)?;
        if claims.jti.is_empty() || claims.jti.len() > MAX_JTI_BYTES {
            return Err(AssertionError::Claims);
        }
        Ok(claims)
    }

    /// The client id, in the form in which it was given to the client.
    pub(super) fn client(&self) -> Option<Uuid> {
        let id: Uuid = self.iss.parse().ok()?;
        (self.iss == self.sub && id.to_string() == self.iss).then_some(id)
    }

    pub(super) fn is_for(&self, audience: &str) -> bool {
        let (Audience::Text(named) | Audience::List([named])) = &self.aud;
        named == audience
    }

    /// Verifies that the assertion is valid now. Returns its expiry.
    pub(super) fn check_time(&self, now: OffsetDateTime) -> Result<OffsetDateTime, AssertionError> {
        let time = |seconds| {
            let time = OffsetDateTime::from_unix_timestamp(seconds);
            time.map_err(|_out_of_range| AssertionError::Claims)
        };
        let expires_at = time(self.exp)?;
        let mut is_valid =
            expires_at > now - MAX_SKEW && expires_at <= now + MAX_LIFETIME + MAX_SKEW;
        for begin in [self.nbf, self.iat].into_iter().flatten() {
            let begin = time(begin)?;
            is_valid &= begin <= now + MAX_SKEW && begin <= expires_at;
        }
        if is_valid {
            Ok(expires_at)
        } else {
            Err(AssertionError::Time)
        }
    }
}
