//! Options of ceremonies, as `PublicKeyCredential.parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON` take them (§5.1),
//! with binary members in base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::Passkey;
use super::RelyingParty;
use super::public_key::ALGORITHMS;

/// The type of all credentials (§5.8.2).
const PUBLIC_KEY: &str = "public-key";
/// User verification, and a passkey that the authenticator finds by itself: the ceremony fails without them.
const REQUIRED: &str = "required";

/// The account that a passkey is made for, by the names that an authenticator shows.
#[derive(Clone, Copy)]
pub struct UserEntity<'a> {
    /// The user handle, which names the account at sign-in: at most 64 bytes, of random ids (§5.4.3).
    pub handle: &'a [u8],
    /// The name of the account, such as an e-mail address.
    pub name: &'a str,
    /// The name of the person.
    pub display_name: &'a str,
}

/// What the options of both ceremonies share.
#[derive(Clone, Copy, Debug)]
pub struct CeremonyOptions<'a> {
    /// The challenge, in base64url.
    pub challenge: &'a str,
    /// The time that a person has.
    pub timeout_milliseconds: u32,
    /// The passkeys of the account: its authenticators make no further one, or one of them must respond. Any may, if there are none.
    pub passkeys: &'a [Passkey],
}

/// The options of a registration.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreationOptions {
    rp: RelyingPartyEntity,
    user: SerializedUser,
    challenge: String,
    pub_key_cred_params: Vec<Algorithm>,
    timeout: u32,
    exclude_credentials: Vec<CredentialDescriptor>,
    authenticator_selection: AuthenticatorSelection,
    attestation: &'static str,
}

/// The options of an authentication.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestOptions {
    challenge: String,
    timeout: u32,
    rp_id: String,
    allow_credentials: Vec<CredentialDescriptor>,
    user_verification: &'static str,
}

#[derive(Debug, Serialize)]
struct RelyingPartyEntity {
    id: String,
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SerializedUser {
    id: String,
    name: String,
    display_name: String,
}

#[derive(Debug, Serialize)]
struct Algorithm {
    r#type: &'static str,
    alg: i64,
}

#[derive(Debug, Serialize)]
struct CredentialDescriptor {
    r#type: &'static str,
    id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthenticatorSelection {
    resident_key: &'static str,
    require_resident_key: bool,
    user_verification: &'static str,
}

impl RelyingParty {
    /// The options of a registration (§5.4).
    #[must_use]
    pub fn creation_options(
        &self,
        user: UserEntity<'_>,
        options: CeremonyOptions<'_>,
    ) -> CreationOptions {
        let algorithms = ALGORITHMS.into_iter().map(|alg| Algorithm {
            r#type: PUBLIC_KEY,
            alg,
        });
        CreationOptions {
            rp: RelyingPartyEntity {
                id: self.id.clone(),
                name: self.name,
            },
            user: SerializedUser {
                id: URL_SAFE_NO_PAD.encode(user.handle),
                name: user.name.to_owned(),
                display_name: user.display_name.to_owned(),
            },
            challenge: options.challenge.to_owned(),
            pub_key_cred_params: algorithms.collect(),
            timeout: options.timeout_milliseconds,
            exclude_credentials: credentials(options.passkeys),
            authenticator_selection: AuthenticatorSelection {
                resident_key: REQUIRED,
                require_resident_key: true,
                user_verification: REQUIRED,
            },
            attestation: "none",
        }
    }

    /// The options of an authentication (§5.5).
    #[must_use]
    pub fn request_options(&self, options: CeremonyOptions<'_>) -> RequestOptions {
        RequestOptions {
            challenge: options.challenge.to_owned(),
            timeout: options.timeout_milliseconds,
            rp_id: self.id.clone(),
            allow_credentials: credentials(options.passkeys),
            user_verification: REQUIRED,
        }
    }
}

fn credentials(passkeys: &[Passkey]) -> Vec<CredentialDescriptor> {
    let credential = |passkey: &Passkey| CredentialDescriptor {
        r#type: PUBLIC_KEY,
        id: URL_SAFE_NO_PAD.encode(passkey.credential_id()),
    };
    passkeys.iter().map(credential).collect()
}
