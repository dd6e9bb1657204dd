//! The compact form of a JSON Web Signature (RFC 7515, 7.1).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::AssertionError;

/// A signature algorithm (RFC 7518, 3.1). There are no others here: none without a signature, and none with a shared secret.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Algorithm {
    /// ECDSA with P-384 and SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 2] = [Self::Es384, Self::Rs384];

    /// The name in headers and keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es384 => "ES384",
            Self::Rs384 => "RS384",
        }
    }
}

/// A token in compact form, whose signature is not verified.
pub(super) struct Jws<'t> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: String,
    /// The bytes that are signed: header and payload as they were sent.
    pub(super) signed: &'t [u8],
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// The header. Members that are not read are ignored (RFC 7515, 4), except those that change the meaning of the token.
#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    kid: String,
    typ: Option<String>,
    /// Extensions that must be understood, of which there are none.
    crit: Option<IgnoredAny>,
    /// The address of a key set. Keys are registered and never fetched.
    jku: Option<IgnoredAny>,
}

impl<'t> Jws<'t> {
    pub(super) fn parse(compact: &'t str) -> Result<Self, AssertionError> {
        let (signed, signature) = compact.rsplit_once('.').ok_or(AssertionError::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(AssertionError::Form)?;
        let header = serde_json::from_slice(&decoded(header)?);
        let header: Header = header.map_err(|_malformed| AssertionError::Header)?;
        let is_jwt = header
            .typ
            .is_none_or(|name| name.eq_ignore_ascii_case("JWT"));
        if !is_jwt || header.crit.is_some() || header.jku.is_some() {
            return Err(AssertionError::Header);
        }
        Ok(Self {
            algorithm: header.alg,
            key_id: header.kid,
            signed: signed.as_bytes(),
            payload: decoded(payload)?,
            signature: decoded(signature)?,
        })
    }
}

/// Base64url without padding. A character that is in no alphabet, a dot among them, is refused.
fn decoded(text: &str) -> Result<Vec<u8>, AssertionError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text);
    bytes.map_err(|_malformed| AssertionError::Form)
}
