//! Responses of browsers, as `PublicKeyCredential.toJSON()` makes them (§5.1), with binary members in base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::Decoder;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeOwned;
use serde::de::Error as _;

use super::PasskeyError;
use super::client_data::ClientData;

/// Maximum length of a response, in bytes: one with a chain of attestation certificates has some 6,000.
const MAX_BYTES: usize = 16 << 10;

/// The response to creation options.
pub struct RegistrationResponse {
    pub(super) credential_id: Vec<u8>,
    pub(super) client_data: Vec<u8>,
    pub(super) attestation_object: Vec<u8>,
}

/// The response to request options.
pub struct AssertionResponse {
    pub(super) credential_id: Vec<u8>,
    pub(super) client_data: Vec<u8>,
    pub(super) authenticator_data: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) user_handle: Option<Vec<u8>>,
}

struct Binary(Vec<u8>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential<R> {
    raw_id: Binary,
    response: R,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attestation {
    #[serde(rename = "clientDataJSON")]
    client_data: Binary,
    attestation_object: Binary,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assertion {
    #[serde(rename = "clientDataJSON")]
    client_data: Binary,
    authenticator_data: Binary,
    signature: Binary,
    user_handle: Option<Binary>,
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text);
        bytes.map(Self).map_err(D::Error::custom)
    }
}

impl RegistrationResponse {
    /// Parses a response.
    ///
    /// # Errors
    ///
    /// [`PasskeyError::Malformed`].
    pub fn parse(json: &str) -> Result<Self, PasskeyError> {
        let credential: Credential<Attestation> = parse(json)?;
        Ok(Self {
            credential_id: credential.raw_id.0,
            client_data: credential.response.client_data.0,
            attestation_object: credential.response.attestation_object.0,
        })
    }

    /// The challenge in the client data, in base64url; unverified until [`super::RelyingParty::register`].
    ///
    /// # Errors
    ///
    /// [`PasskeyError::Malformed`].
    pub fn challenge(&self) -> Result<String, PasskeyError> {
        ClientData::parse(&self.client_data).map(|it| it.challenge)
    }
}

impl AssertionResponse {
    /// Parses a response.
    ///
    /// # Errors
    ///
    /// [`PasskeyError::Malformed`].
    pub fn parse(json: &str) -> Result<Self, PasskeyError> {
        let credential: Credential<Assertion> = parse(json)?;
        Ok(Self {
            credential_id: credential.raw_id.0,
            client_data: credential.response.client_data.0,
            authenticator_data: credential.response.authenticator_data.0,
            signature: credential.response.signature.0,
            user_handle: credential.response.user_handle.map(|it| it.0),
        })
    }

    /// The challenge in the client data, in base64url; unverified until [`super::RelyingParty::verify`].
    ///
    /// # Errors
    ///
    /// [`PasskeyError::Malformed`].
    pub fn challenge(&self) -> Result<String, PasskeyError> {
        ClientData::parse(&self.client_data).map(|it| it.challenge)
    }

    /// The credential id.
    #[must_use]
    pub fn credential_id(&self) -> &[u8] {
        &self.credential_id
    }

    /// The user handle with which the passkey was made, if the authenticator has kept it. It is a claim until the
    /// response is verified.
    #[must_use]
    pub fn user_handle(&self) -> Option<&[u8]> {
        self.user_handle.as_deref()
    }
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, PasskeyError> {
    if json.len() > MAX_BYTES {
        return Err(PasskeyError::Malformed);
    }
    serde_json::from_str(json).map_err(|_malformed| PasskeyError::Malformed)
}

/// The authenticator data in an attestation object (§6.5), whose attestation is not judged.
pub(super) fn authenticator_data(object: &[u8]) -> Result<&[u8], PasskeyError> {
    found(object).ok_or(PasskeyError::Malformed)
}

fn found(object: &[u8]) -> Option<&[u8]> {
    let mut decoder = Decoder::new(object);
    let number = decoder.map().ok()??;
    let mut data = None;
    for _ in 0..number {
        if decoder.str().ok()? == "authData" {
            let former = data.replace(decoder.bytes().ok()?);
            if former.is_some() {
                return None;
            }
        } else {
            decoder.skip().ok()?;
        }
    }
    data.filter(|_| decoder.position() == object.len())
}
