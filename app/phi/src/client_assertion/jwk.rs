//! The public keys of a client: a JSON Web Key Set (RFC 7517, 5).

use std::collections::BTreeSet;

use aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED;
use aws_lc_rs::signature::ParsedPublicKey;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA384;
use aws_lc_rs::signature::RsaPublicKeyComponents;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::json;

use super::jws::Algorithm;

/// Maximum length of a key set, in bytes: five RSA keys of 4096 bits have 4,500, with all that clients add.
const MAX_JWK_SET_BYTES: usize = 16 * 1024;
/// Maximum number of keys of a client: the present one, its successor, and those of a few instances.
const MAX_KEYS: usize = 5;
/// Maximum length of a key id, in bytes: a thumbprint or a UUID, with room.
const MAX_KEY_ID_BYTES: usize = 128;
/// Lengths of an RSA modulus that are accepted, in bytes: from the minimum of RFC 7518 (3.3) to what a verification should cost.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// The only RSA exponent that is accepted: 65537, that of nearly all keys.
const RSA_EXPONENT: &str = "AQAB";
/// Length of a coordinate of P-384, in bytes.
const COORDINATE_BYTES: usize = 48;

/// The reason why a key set is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", self.advice())]
pub enum JwkSetError {
    /// It is longer than [`MAX_JWK_SET_BYTES`], or no JSON Web Key Set.
    Form,
    /// It has no key, or more than a client may have.
    Count,
    /// A key has a private part.
    Private,
    /// A key is for another algorithm or use, too short, or not valid.
    Key,
    /// A key has no id, or the id of another one.
    KeyId,
}

impl JwkSetError {
    /// What is accepted instead, for people.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Form => "Send a JSON Web Key Set: an object with a list \"keys\".",
            Self::Count => "Send one to five keys.",
            Self::Private => {
                "This contains a private key, which must not leave the client: make a new key, and send its public part alone."
            }
            Self::Key => {
                "Each key must be a valid public key for signatures with ES384 (P-384) or RS384 (RSA of 2048 to 4096 bits)."
            }
            Self::KeyId => {
                "Each key needs a \"kid\" of its own, of at most 128 printable ASCII characters."
            }
        }
    }
}

/// The public keys of a client, each with an id of its own.
#[derive(Clone, Debug, Default)]
pub struct JwkSet(Vec<Jwk>);

/// A public key.
#[derive(Clone, Debug)]
pub(super) struct Jwk {
    id: String,
    algorithm: Algorithm,
    /// The members that are the key itself, in base64url.
    members: Value,
    key: ParsedPublicKey,
}

#[derive(Deserialize)]
struct SetInput {
    keys: Vec<JwkInput>,
}

/// A key as a client has it. Members that are not read, such as `ext`, are left out of what is stored.
#[derive(Deserialize)]
struct JwkInput {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    /// The private part of an EC or RSA key.
    d: Option<IgnoredAny>,
    /// A prime of an RSA key.
    p: Option<IgnoredAny>,
    /// A symmetric key.
    k: Option<IgnoredAny>,
}

impl JwkSet {
    /// Parses a key set.
    ///
    /// # Errors
    ///
    /// See [`JwkSetError`].
    pub fn parse(text: &str) -> Result<Self, JwkSetError> {
        if text.len() > MAX_JWK_SET_BYTES {
            return Err(JwkSetError::Form);
        }
        let set: SetInput = serde_json::from_str(text).map_err(|_malformed| JwkSetError::Form)?;
        if set.keys.is_empty() || set.keys.len() > MAX_KEYS {
            return Err(JwkSetError::Count);
        }
        let keys = set.keys.into_iter().map(Jwk::of);
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        let ids: BTreeSet<&str> = keys.iter().map(|key| key.id.as_str()).collect();
        if ids.len() != keys.len() {
            return Err(JwkSetError::KeyId);
        }
        Ok(Self(keys))
    }

    /// The key set in JSON, with the members that identify the keys and no others.
    #[must_use]
    pub fn to_json(&self) -> String {
        let keys: Vec<&Value> = self.0.iter().map(|key| &key.members).collect();
        json!({ "keys": keys }).to_string()
    }

    /// The keys: the id and the algorithm of each.
    pub fn keys(&self) -> impl Iterator<Item = (&str, Algorithm)> {
        self.0.iter().map(|key| (key.id.as_str(), key.algorithm))
    }

    /// The key with this id, if it is one for this algorithm.
    pub(super) fn key(&self, id: &str, algorithm: Algorithm) -> Option<&Jwk> {
        let mut keys = self.0.iter();
        keys.find(|key| key.id == id && key.algorithm == algorithm)
    }
}

impl Jwk {
    fn of(input: JwkInput) -> Result<Self, JwkSetError> {
        if input.d.is_some() || input.p.is_some() || input.k.is_some() {
            return Err(JwkSetError::Private);
        }
        let is_printable = |id: &String| id.bytes().all(|byte| byte.is_ascii_graphic());
        let id = input.kid.clone().filter(is_printable);
        let is_id = |id: &String| !id.is_empty() && id.len() <= MAX_KEY_ID_BYTES;
        let id = id.filter(is_id).ok_or(JwkSetError::KeyId)?;
        let key = match input.kty.as_str() {
            "EC" => Self::elliptic(id, &input),
            "RSA" => Self::rsa(id, &input),
            _ => None,
        };
        let key = key.ok_or(JwkSetError::Key)?;
        let is_for_signatures = input.r#use.is_none_or(|it| it == "sig")
            && input
                .key_ops
                .is_none_or(|all| all.iter().any(|it| it == "verify"))
            && input.alg.is_none_or(|it| it == key.algorithm.name());
        is_for_signatures.then_some(key).ok_or(JwkSetError::Key)
    }

    /// A key on the curve P-384.
    fn elliptic(id: String, input: &JwkInput) -> Option<Self> {
        let (x, y) = (input.x.as_ref()?, input.y.as_ref()?);
        if input.crv.as_ref()? != "P-384" {
            return None;
        }
        // An uncompressed point (SEC 1, 2.3.3). That it is on the curve is verified when it is parsed.
        let mut point = vec![4];
        for coordinate in [x, y] {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(coordinate).ok()?;
            point.extend(Some(bytes).filter(|it| it.len() == COORDINATE_BYTES)?);
        }
        Some(Self {
            members: json!({ "kty": "EC", "crv": "P-384", "x": x, "y": y, "kid": id }),
            id,
            algorithm: Algorithm::Es384,
            key: ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).ok()?,
        })
    }

    /// An RSA key.
    fn rsa(id: String, input: &JwkInput) -> Option<Self> {
        let (n, e) = (input.n.as_ref()?, input.e.as_ref()?);
        let modulus = BASE64_URL_SAFE_NO_PAD.decode(n).ok()?;
        // A modulus with leading zeros would have fewer bits than its length says; an even one has no factors to protect.
        let is_odd = modulus.last().is_some_and(|byte| byte % 2 == 1);
        let is_full = modulus.first().is_some_and(|byte| *byte >= 0x80);
        if !RSA_BYTES.contains(&modulus.len()) || !is_odd || !is_full || e != RSA_EXPONENT {
            return None;
        }
        let components = RsaPublicKeyComponents {
            n: modulus,
            e: BASE64_URL_SAFE_NO_PAD.decode(e).ok()?,
        };
        let key = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA384);
        Some(Self {
            members: json!({ "kty": "RSA", "n": n, "e": e, "kid": id }),
            id,
            algorithm: Algorithm::Rs384,
            key: key.ok()?,
        })
    }

    /// A key of an algorithm that is no client's: the example keys of SMART's implementation guide. What it verifies is refused,
    /// too.
    pub(super) fn decoy(algorithm: Algorithm) -> Option<Self> {
        let set = JwkSet::parse(include_str!("decoys.json")).ok()?;
        set.0.into_iter().find(|key| key.algorithm == algorithm)
    }

    /// Whether the key verifies a signature.
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(signed, signature).is_ok()
    }
}
