//! A passkey authenticator in software, with the browser in front of it (Web Authentication Level 3; numbers of sections are its).
//! Clients do not link the product's own implementation (`phi::passkey`).

use anyhow::Context;
use anyhow::bail;
use aws_lc_rs::digest::SHA256;
use aws_lc_rs::digest::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rand::fill;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use minicbor::Encoder;
use serde_json::Value;
use serde_json::json;

/// User present and user verified, not backup eligible (§6.1).
pub const USER_VERIFIED_FLAGS: u8 = 0b101;
/// The flag of data with a new passkey.
const HAS_CREDENTIAL: u8 = 1 << 6;

/// An algorithm of keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PasskeyAlgorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// `EdDSA` with Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

/// An authenticator with one passkey. Its public members can be set to what a real one would not send.
pub struct Authenticator {
    key: Key,
    credential_id: Vec<u8>,
    relying_party: String,
    /// The user handle that it returns.
    pub user_handle: Vec<u8>,
    /// The flags that it sends.
    pub flags: u8,
    /// The number of signatures that it has counted; none for one that does not count.
    pub sign_count: Option<u32>,
}

enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl Authenticator {
    /// Makes a passkey for these creation options on a page of `origin`. Returns the JSON of the response, too.
    ///
    /// # Errors
    /// When the options lack a member, or the system gives no randomness.
    pub fn create(
        algorithm: PasskeyAlgorithm,
        origin: &str,
        options: &Value,
    ) -> anyhow::Result<(Self, String)> {
        let mut credential_id = vec![0; 32];
        fill(&mut credential_id).context("the system gives no randomness")?;
        let user = text(options, "/user/id")?;
        let authenticator = Self {
            key: Key::generate(algorithm)?,
            credential_id,
            relying_party: text(options, "/rp/id")?.to_owned(),
            user_handle: BASE64_URL_SAFE_NO_PAD.decode(user)?,
            flags: USER_VERIFIED_FLAGS,
            sign_count: None,
        };
        let response = authenticator.attestation(origin, options)?;
        Ok((authenticator, response))
    }

    /// The JSON of the response to creation options on a page of `origin`.
    ///
    /// # Errors
    /// When the options lack a member.
    pub fn attestation(&self, origin: &str, options: &Value) -> anyhow::Result<String> {
        let client_data = client_data("webauthn.create", origin, text(options, "/challenge")?);
        let mut data = self.data(self.flags | HAS_CREDENTIAL);
        // The model.
        data.extend_from_slice(&[0; 16]);
        let length = u16::try_from(self.credential_id.len())?;
        data.extend_from_slice(&length.to_be_bytes());
        data.extend_from_slice(&self.credential_id);
        data.extend_from_slice(&self.key.to_cose()?);
        let mut object = Vec::new();
        Encoder::new(&mut object)
            .map(3)?
            .str("fmt")?
            .str("none")?
            .str("attStmt")?
            .map(0)?
            .str("authData")?
            .bytes(&data)?;
        let members = json!({
            "clientDataJSON": encode(client_data.as_bytes()),
            "attestationObject": encode(&object),
            "transports": ["internal"],
        });
        Ok(self.credential(&members))
    }

    /// The JSON of the response to request options on a page of `origin`.
    ///
    /// # Errors
    /// When the options lack a member, or allow other passkeys only.
    pub fn assertion(&mut self, origin: &str, options: &Value) -> anyhow::Result<String> {
        let allowed = options["allowCredentials"].as_array();
        let id = encode(&self.credential_id);
        if allowed.is_some_and(|them| !them.is_empty() && them.iter().all(|it| it["id"] != id)) {
            bail!("the options allow other passkeys only");
        }
        if let Some(count) = &mut self.sign_count {
            *count += 1;
        }
        let client_data = client_data("webauthn.get", origin, text(options, "/challenge")?);
        let data = self.data(self.flags);
        let mut signed = data.clone();
        signed.extend_from_slice(digest(&SHA256, client_data.as_bytes()).as_ref());
        Ok(self.credential(&json!({
            "clientDataJSON": encode(client_data.as_bytes()),
            "authenticatorData": encode(&data),
            "signature": encode(&self.key.sign(&signed)?),
            "userHandle": encode(&self.user_handle),
        })))
    }

    /// Authenticator data without a passkey (§6.1).
    fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = digest(&SHA256, self.relying_party.as_bytes())
            .as_ref()
            .to_vec();
        data.push(flags);
        data.extend_from_slice(&self.sign_count.unwrap_or(0).to_be_bytes());
        data
    }

    /// What `PublicKeyCredential.toJSON()` makes of a response.
    fn credential(&self, response: &Value) -> String {
        json!({
            "id": encode(&self.credential_id),
            "rawId": encode(&self.credential_id),
            "response": response,
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "type": "public-key",
        })
        .to_string()
    }
}

impl Key {
    fn generate(algorithm: PasskeyAlgorithm) -> anyhow::Result<Self> {
        let generated = match algorithm {
            PasskeyAlgorithm::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map(Self::Es256)
            }
            PasskeyAlgorithm::EdDsa => Ed25519KeyPair::generate().map(Self::EdDsa),
            PasskeyAlgorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Self::Rs256),
        };
        generated.context("a key pair cannot be generated")
    }

    /// The public key in COSE (RFC 9052, RFC 9053, RFC 8812).
    fn to_cose(&self) -> anyhow::Result<Vec<u8>> {
        let mut cose = Vec::new();
        let mut encoder = Encoder::new(&mut cose);
        match self {
            Self::Es256(pair) => {
                let point = pair.public_key().as_ref().get(1..);
                let (x, y) = point
                    .and_then(|point| point.split_at_checked(32))
                    .context("a public key is a point of P-256")?;
                encoder.map(5)?.i8(1)?.i8(2)?.i8(3)?.i8(-7)?.i8(-1)?.i8(1)?;
                encoder.i8(-2)?.bytes(x)?.i8(-3)?.bytes(y)?;
            }
            Self::EdDsa(pair) => {
                encoder.map(4)?.i8(1)?.i8(1)?.i8(3)?.i8(-8)?.i8(-1)?.i8(6)?;
                encoder.i8(-2)?.bytes(pair.public_key().as_ref())?;
            }
            Self::Rs256(pair) => {
                // In DER (RFC 8017, A.1.1), where both numbers have fixed places for 2048 bits and the exponent 65537.
                let der = pair.public_key().as_ref();
                let (n, e) = der
                    .get(9..265)
                    .zip(der.get(267..))
                    .context("a public key has 2048 bits")?;
                encoder.map(4)?.i8(1)?.i8(3)?.i8(3)?.i16(-257)?;
                encoder.i8(-1)?.bytes(n)?.i8(-2)?.bytes(e)?;
            }
        }
        Ok(cose)
    }

    fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) => {
                let signature = pair.sign(&random, message);
                Ok(signature.context("no signature")?.as_ref().to_vec())
            }
            Self::EdDsa(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .context("no signature")?;
                Ok(signature)
            }
        }
    }
}

/// Client data (§5.8.1).
fn client_data(ceremony: &str, origin: &str, challenge: &str) -> String {
    json!({ "type": ceremony, "challenge": challenge, "origin": origin, "crossOrigin": false })
        .to_string()
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn text<'v>(options: &'v Value, pointer: &str) -> anyhow::Result<&'v str> {
    let text = options.pointer(pointer).and_then(Value::as_str);
    text.with_context(|| format!("the options have no {pointer}"))
}
