//! Assertions by which machine clients sign in: JSON Web Tokens signed with a client's private key (RFC 7521, RFC 7523), as SMART
//! Backend Services requires them.
//!
//! This parser takes the compact form of RFC 7515 only, and of its headers only what the two algorithms of SMART need. An
//! algorithm is that of the registered key: a token cannot choose another one for it.

mod claims;
mod jwk;
mod jws;

use std::fmt;

use sha2::Digest as _;
use sha2::Sha256;
use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use claims::Claims;
use jws::Jws;

pub use jwk::JwkSet;
pub use jwk::JwkSetError;
pub use jws::Algorithm as SignatureAlgorithm;

/// Maximum length of an assertion, in bytes: that with the longest signature and ids has 2,500.
const MAX_ASSERTION_BYTES: usize = 4096;
/// The time by which the clocks of client and server may differ.
const MAX_SKEW: Duration = Duration::seconds(30);
/// Maximum time to an assertion's expiry ("no more than five minutes in the future").
const MAX_LIFETIME: Duration = Duration::minutes(5);

/// The reason why an assertion is not accepted, for the log: a response does not distinguish these.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AssertionError {
    /// It is longer than [`MAX_ASSERTION_BYTES`].
    #[error("the assertion is too long")]
    TooLong,
    /// It is no JSON Web Signature in compact form.
    #[error("the assertion is no signed token of the expected form")]
    Form,
    /// The header names another algorithm, or an extension.
    #[error("the header of the assertion is not supported")]
    Header,
    /// A claim is missing or malformed.
    #[error("a claim of the assertion is missing or malformed")]
    Claims,
    /// Issuer and subject are not one client id.
    #[error("issuer and subject of the assertion are not one client id")]
    Client,
    /// The audience is not this server's token endpoint.
    #[error("the assertion is for another audience")]
    Audience,
    /// It has expired, expires too late, or is not valid yet.
    #[error("the assertion is not valid at this time")]
    Time,
    /// No key of the client verifies the signature.
    #[error("no key of the client verifies the assertion")]
    Signature,
}

/// An assertion whose claims are those of a valid one, and whose signature is not verified yet.
pub struct ClientAssertion<'t> {
    jws: Jws<'t>,
    claims: Claims,
    client: Uuid,
    expires_at: OffsetDateTime,
}

/// Evidence that a client's key verifies an assertion that is valid now.
#[derive(Debug)]
pub struct VerifiedAssertion {
    client: Uuid,
    digest: [u8; 32],
    expires_at: OffsetDateTime,
}

impl<'t> ClientAssertion<'t> {
    /// Parses an assertion in compact form for the token endpoint `audience`.
    ///
    /// # Errors
    ///
    /// See [`AssertionError`].
    pub fn parse(
        compact: &'t str,
        audience: &str,
        now: OffsetDateTime,
    ) -> Result<Self, AssertionError> {
        if compact.len() > MAX_ASSERTION_BYTES {
            return Err(AssertionError::TooLong);
        }
        let jws = Jws::parse(compact)?;
        let claims = Claims::parse(&jws.payload)?;
        let expires_at = claims.check_time(now)?;
        if !claims.is_for(audience) {
            return Err(AssertionError::Audience);
        }
        let client = claims.client().ok_or(AssertionError::Client)?;
        Ok(Self {
            jws,
            claims,
            client,
            expires_at,
        })
    }

    /// The client id that the assertion names. It is a claim until the signature is verified.
    #[must_use]
    pub const fn client(&self) -> Uuid {
        self.client
    }

    /// Verifies the signature with the key that the header names. A set without that key costs a verification, too, so that the
    /// time tells little about which clients and keys exist.
    ///
    /// # Errors
    ///
    /// [`AssertionError::Signature`].
    pub fn verify(self, keys: &JwkSet) -> Result<VerifiedAssertion, AssertionError> {
        let key = keys.key(&self.jws.key_id, self.jws.algorithm);
        let key = key.ok_or_else(|| {
            let decoy = jwk::Jwk::decoy(self.jws.algorithm);
            let _refused =
                decoy.is_some_and(|it| it.verifies(self.jws.signed, &self.jws.signature));
            AssertionError::Signature
        })?;
        if !key.verifies(self.jws.signed, &self.jws.signature) {
            return Err(AssertionError::Signature);
        }
        Ok(VerifiedAssertion {
            client: self.client,
            digest: digest(self.client, &self.claims.jti),
            // As long as a server accepts it whose clock is behind, by the clock of one that is ahead.
            expires_at: self.expires_at + MAX_SKEW + MAX_SKEW,
        })
    }
}

impl fmt::Debug for ClientAssertion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAssertion").finish_non_exhaustive()
    }
}

impl VerifiedAssertion {
    /// The client id.
    #[must_use]
    pub const fn client(&self) -> Uuid {
        self.client
    }

    /// The identity of the assertion: a hash of the client id and of `jti`. It is accepted once.
    #[must_use]
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The time from which the assertion is not accepted by any server, whatever its clock.
    #[must_use]
    pub const fn expires_at(&self) -> OffsetDateTime {
        self.expires_at
    }
}

/// The identity of an assertion. The client id has a fixed length, so that no two pairs are hashed as the same bytes.
fn digest(client: Uuid, jti: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update("client-assertion/1");
    hash.update(client.as_bytes());
    hash.update(jti.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests;
