//! Session tokens and bearer tokens.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Digest as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::SecretKey;

/// A 256-bit random token: 43 characters of URL-safe base64. The client receives it once; its [hash](Self::hash) is
/// stored.
pub struct SecretToken(Zeroizing<String>);

impl SecretToken {
    /// A new token from the operating system's generator.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(
            URL_SAFE_NO_PAD.encode(SecretKey::random().expose()),
        ))
    }

    /// A token received from a client; `None` if the text does not have the form of a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        (bytes.len() == 32).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The hash to store: `SHA-256("phi-token/2" | length of the label[4] | label | token)`, where `label` names
    /// the kind of token. It needs no key, because 256 random bits cannot be guessed, and so outlives key rotations.
    #[must_use]
    pub fn hash(&self, label: &str) -> [u8; 32] {
        let length = u32::try_from(label.len()).unwrap_or(u32::MAX).to_be_bytes();
        Sha256::new()
            .chain_update(b"phi-token/2")
            .chain_update(length)
            .chain_update(label)
            .chain_update(self.0.as_bytes())
            .finalize()
            .into()
    }

    /// The token's characters, to be sent to the client.
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
