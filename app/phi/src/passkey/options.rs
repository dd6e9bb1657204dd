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
#[derive(Clone, Copy, Debug)]
pub struct User<'a> {
    /// The user handle, which names the account at sign-in: at most 64 bytes, of random ids (§5.4.3).
    pub handle: &'a [u8],
    /// The name of the account, such as an e-mail address.
    pub name: &'a str,
    /// The name of the person.
    pub display_name: &'a str,
}

/// What the options of both ceremonies share.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The challenge, in base64url.
    pub challenge: &'a str,
    /// The time that a person has, in milliseconds.
    pub timeout: u32,
    /// The passkeys of the account: its authenticators make no further one, or one of them must answer. Any may, if there are none.
    pub passkeys: &'a [Passkey],
}

/// The options of a registration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreationOptions {
    rp: Server,
    user: Account,
    challenge: String,
    pub_key_cred_params: Vec<Algorithm>,
    timeout: u32,
    exclude_credentials: Vec<Credential>,
    authenticator_selection: Selection,
    attestation: &'static str,
}

/// The options of an authentication.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestOptions {
    challenge: String,
    timeout: u32,
    rp_id: String,
    allow_credentials: Vec<Credential>,
    user_verification: &'static str,
}

#[derive(Debug, Serialize)]
struct Server {
    id: String,
    name: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
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
struct Credential {
    r#type: &'static str,
    id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Selection {
    resident_key: &'static str,
    require_resident_key: bool,
    user_verification: &'static str,
}

impl RelyingParty {
    /// The options with which a browser makes a passkey for an account. `name` is that of the server.
    #[must_use]
    pub fn creation_options(
        &self,
        name: &'static str,
        user: User<'_>,
        options: Options<'_>,
    ) -> CreationOptions {
        let algorithms = ALGORITHMS.into_iter().map(|alg| Algorithm {
            r#type: PUBLIC_KEY,
            alg,
        });
        CreationOptions {
            rp: Server {
                id: self.id.clone(),
                name,
            },
            user: Account {
                id: URL_SAFE_NO_PAD.encode(user.handle),
                name: user.name.to_owned(),
                display_name: user.display_name.to_owned(),
            },
            challenge: options.challenge.to_owned(),
            pub_key_cred_params: algorithms.collect(),
            timeout: options.timeout,
            exclude_credentials: credentials(options.passkeys),
            authenticator_selection: Selection {
                resident_key: REQUIRED,
                require_resident_key: true,
                user_verification: REQUIRED,
            },
            attestation: "none",
        }
    }

    /// The options with which a browser answers for a passkey.
    #[must_use]
    pub fn request_options(&self, options: Options<'_>) -> RequestOptions {
        RequestOptions {
            challenge: options.challenge.to_owned(),
            timeout: options.timeout,
            rp_id: self.id.clone(),
            allow_credentials: credentials(options.passkeys),
            user_verification: REQUIRED,
        }
    }
}

fn credentials(passkeys: &[Passkey]) -> Vec<Credential> {
    let credential = |passkey: &Passkey| Credential {
        r#type: PUBLIC_KEY,
        id: URL_SAFE_NO_PAD.encode(passkey.credential_id()),
    };
    passkeys.iter().map(credential).collect()
}
