//! Client data: what the browser knows of a ceremony (§5.8.1).

use serde::Deserialize;

use super::PasskeyError;

/// A ceremony.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub(super) enum Ceremony {
    /// The registration of a passkey.
    #[serde(rename = "webauthn.create")]
    Create,
    /// The authentication with one.
    #[serde(rename = "webauthn.get")]
    Get,
}

/// Client data, which the signature covers.
pub(super) struct ClientData {
    pub(super) ceremony: Ceremony,
    /// The challenge, in base64url.
    pub(super) challenge: String,
    /// The origin of the page.
    pub(super) origin: String,
    /// Whether the page was in a frame of another origin.
    pub(super) is_cross_origin: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CollectedClientData {
    r#type: Ceremony,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

impl ClientData {
    /// Parses the JSON of a browser, which may have members of a later version.
    ///
    /// # Errors
    ///
    /// [`PasskeyError::Malformed`].
    pub(super) fn parse(json: &[u8]) -> Result<Self, PasskeyError> {
        let collected = serde_json::from_slice::<CollectedClientData>(json);
        let collected = collected.map_err(|_malformed| PasskeyError::Malformed)?;
        Ok(Self {
            ceremony: collected.r#type,
            challenge: collected.challenge,
            origin: collected.origin,
            is_cross_origin: collected.cross_origin || collected.top_origin.is_some(),
        })
    }
}
