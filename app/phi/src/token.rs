//! Random tokens for sessions and machine clients.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::secret::SecretKey;

/// A 256-bit random token, 43 characters of URL-safe base64. It is shown once, to whom it is issued;
/// what is stored is its [`token_hash`](crate::AuthorizationKey::token_hash).
pub struct SecretToken(Zeroizing<String>);

impl SecretToken {
    /// A new token of the system's randomness.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(
            URL_SAFE_NO_PAD.encode(SecretKey::random().expose()),
        ))
    }

    /// The token as it was sent back, if it has a token's form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        (bytes.len() == 32).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The token's characters, to send or to hash.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_shows_nothing() {
        let token = SecretToken::random();
        assert_eq!(token.expose().len(), 43);
        assert_eq!(
            SecretToken::parse(token.expose()).unwrap().expose(),
            token.expose()
        );
        assert_eq!(format!("{token:?}"), "SecretToken(..)");
    }

    #[test]
    fn what_has_not_the_form_of_a_token_is_none() {
        for text in [
            "",
            "a",
            &"A".repeat(42),
            &"A".repeat(44),
            &"=".repeat(43),
            &"+".repeat(43),
        ] {
            assert!(SecretToken::parse(text).is_none(), "{text}");
        }
    }
}
