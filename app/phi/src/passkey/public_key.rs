//! Public keys of passkeys, in COSE (RFC 9052, RFC 9053, RFC 8812).

use aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1;
use aws_lc_rs::signature::ED25519;
use aws_lc_rs::signature::ParsedPublicKey;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use aws_lc_rs::signature::RsaPublicKeyComponents;
use minicbor::Decoder;
use minicbor::data::Type;

use super::PasskeyError;

/// The algorithms that are offered, by their COSE numbers, the preferred ones first: `EdDSA` with Ed25519, ES256 and RS256.
pub(super) const ALGORITHMS: [i64; 3] = [EDDSA, ES256, RS256];
const EDDSA: i64 = -8;
const ES256: i64 = -7;
const RS256: i64 = -257;

// Labels of a COSE key, and its values for the three algorithms.
const KEY_TYPE: i64 = 1;
const ALGORITHM: i64 = 3;
const CURVE_OR_MODULUS: i64 = -1;
const X_OR_EXPONENT: i64 = -2;
const Y: i64 = -3;
const OKP: i64 = 1;
const EC2: i64 = 2;
const RSA: i64 = 3;
const P256: i64 = 1;
const CURVE_ED25519: i64 = 6;

/// Maximum length of a key, in bytes: those of RSA with 4096 bits have 530.
const MAX_BYTES: usize = 600;
/// Minimum length of an RSA modulus, in bytes.
const MIN_MODULUS_BYTES: usize = 256;
/// The first byte of an uncompressed point of a curve (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A public key.
#[derive(Clone)]
pub(super) struct PublicKey {
    cose: Vec<u8>,
    key: Key,
}

#[derive(Clone)]
enum Key {
    /// ES256: an uncompressed point.
    P256([u8; 65]),
    /// `EdDSA`.
    Ed25519([u8; 32]),
    /// RS256: modulus and exponent.
    Rsa(Vec<u8>, Vec<u8>),
}

/// The value of a label.
#[derive(Clone, Copy)]
enum Parameter<'b> {
    Number(i64),
    Bytes(&'b [u8]),
}

/// The labels of a key with their values.
struct Parameters<'b>(Vec<(i64, Parameter<'b>)>);

impl PublicKey {
    /// Parses a key.
    ///
    /// # Errors
    ///
    /// [`PasskeyError::PublicKey`] for one of another algorithm, and for one that is not valid.
    pub(super) fn parse(cose: &[u8]) -> Result<Self, PasskeyError> {
        let parameters = Parameters::parse(cose).filter(|_| cose.len() <= MAX_BYTES);
        let key = parameters.and_then(|it| it.key()).filter(Key::is_valid);
        Ok(Self {
            cose: cose.to_vec(),
            key: key.ok_or(PasskeyError::PublicKey)?,
        })
    }

    /// The key in COSE.
    pub(super) fn as_cose(&self) -> &[u8] {
        &self.cose
    }

    /// Whether the key verifies a signature.
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Key::P256(_) | Key::Ed25519(_) => self
                .key
                .parsed()
                .is_some_and(|key| key.verify_sig(signed, signature).is_ok()),
            Key::Rsa(n, e) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
                .is_ok(),
        }
    }
}

impl Key {
    fn is_valid(&self) -> bool {
        match self {
            Self::P256(_) | Self::Ed25519(_) => self.parsed().is_some(),
            Self::Rsa(modulus, exponent) => {
                modulus.len() >= MIN_MODULUS_BYTES && !exponent.is_empty()
            }
        }
    }

    /// The key, if it is a point of its curve.
    fn parsed(&self) -> Option<ParsedPublicKey> {
        match self {
            Self::P256(point) => ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).ok(),
            Self::Ed25519(point) => ParsedPublicKey::new(&ED25519, point).ok(),
            Self::Rsa(..) => None,
        }
    }
}

impl<'b> Parameters<'b> {
    /// Parses a map of integers to integers and byte strings, each once.
    fn parse(cose: &'b [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(cose);
        let number = decoder.map().ok()??;
        let mut parameters = Self(Vec::new());
        for _ in 0..number {
            let label = decoder.i64().ok()?;
            let is_bytes = decoder.datatype().ok()? == Type::Bytes;
            let value = if is_bytes {
                Parameter::Bytes(decoder.bytes().ok()?)
            } else {
                Parameter::Number(decoder.i64().ok()?)
            };
            if parameters.get(label).is_some() {
                return None;
            }
            parameters.0.push((label, value));
        }
        (decoder.position() == cose.len()).then_some(parameters)
    }

    fn key(&self) -> Option<Key> {
        let (kind, algorithm) = (self.number(KEY_TYPE)?, self.number(ALGORITHM)?);
        match (kind, algorithm) {
            (EC2, ES256) if self.number(CURVE_OR_MODULUS) == Some(P256) => {
                let (x, y) = (self.bytes(X_OR_EXPONENT)?, self.bytes(Y)?);
                let coordinates = [x, y].map(|it| <[u8; 32]>::try_from(it).ok());
                let [Some(x), Some(y)] = coordinates else {
                    return None;
                };
                let point = [&[UNCOMPRESSED][..], &x, &y].concat();
                Some(Key::P256(point.try_into().ok()?))
            }
            (OKP, EDDSA) if self.number(CURVE_OR_MODULUS) == Some(CURVE_ED25519) => {
                Some(Key::Ed25519(self.bytes(X_OR_EXPONENT)?.try_into().ok()?))
            }
            (RSA, RS256) => Some(Key::Rsa(
                self.bytes(CURVE_OR_MODULUS)?.to_vec(),
                self.bytes(X_OR_EXPONENT)?.to_vec(),
            )),
            _ => None,
        }
    }

    fn get(&self, label: i64) -> Option<Parameter<'b>> {
        let found = self.0.iter().find(|(known, _)| *known == label);
        found.map(|(_, value)| *value)
    }

    fn number(&self, label: i64) -> Option<i64> {
        match self.get(label)? {
            Parameter::Number(number) => Some(number),
            Parameter::Bytes(_) => None,
        }
    }

    fn bytes(&self, label: i64) -> Option<&'b [u8]> {
        match self.get(label)? {
            Parameter::Bytes(bytes) => Some(bytes),
            Parameter::Number(_) => None,
        }
    }
}
