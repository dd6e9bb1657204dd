//! Machine clients: their key pairs (ES384), assertions signed with them (RFC 7523), and tokens from `POST /oauth/token`. Clients
//! do not link the product's own implementation (`phi`).

use std::fmt;
use std::time::SystemTime;

use anyhow::Context;
use anyhow::bail;
use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::encoding::EcPrivateKeyBin;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rand::fill;
use aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http::header;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::HttpsClient;

/// The id of the only key of a demo client.
const KEY_ID: &str = "demo";
/// The lifetime of an assertion, in seconds: long enough for a request.
const LIFETIME_SECONDS: u64 = 60;

/// The key pair of a machine client: PKCS#8 in base64url.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientKey(String);

/// The credentials of a machine client.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// The client id.
    pub id: String,
    /// The key pair.
    pub key: ClientKey,
}

#[derive(Deserialize)]
struct Issued {
    access_token: String,
}

impl ClientKey {
    /// A new key pair.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)
            .context("a key pair cannot be generated")?;
        let encoded = pair.to_pkcs8v1().context("a key pair cannot be encoded")?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(encoded.as_ref())))
    }

    /// The public key, as a JSON Web Key Set.
    ///
    /// # Errors
    /// When the key pair is damaged.
    pub fn public_keys(&self) -> anyhow::Result<Value> {
        Ok(json!({ "keys": [self.public_key()?] }))
    }

    /// The key pair, as a JSON Web Key Set for clients of others.
    ///
    /// # Errors
    /// When the key pair is damaged.
    pub fn private_keys(&self) -> anyhow::Result<Value> {
        let private: EcPrivateKeyBin<'_> = self
            .pair()?
            .private_key()
            .as_be_bytes()
            .context("a private key cannot be encoded")?;
        let mut key = self.public_key()?;
        let private = BASE64_URL_SAFE_NO_PAD.encode(private.as_ref());
        let members = [
            ("d", json!(private)),
            ("alg", json!("ES384")),
            ("key_ops", json!(["sign"])),
        ];
        let members = members.map(|(name, value)| (name.to_owned(), value));
        key.as_object_mut()
            .context("a key is an object")?
            .extend(members);
        Ok(json!({ "keys": [key] }))
    }

    /// A JSON Web Signature in compact form (RFC 7515).
    ///
    /// # Errors
    /// When the key pair is damaged.
    pub fn sign(&self, header: &Value, claims: &Value) -> anyhow::Result<String> {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self
            .pair()?
            .sign(&SystemRandom::new(), signed.as_bytes())
            .context("an assertion cannot be signed")?;
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        Ok(format!("{signed}.{signature}"))
    }

    fn public_key(&self) -> anyhow::Result<Value> {
        let pair = self.pair()?;
        // An uncompressed point: a byte, and two coordinates of 48 bytes.
        let point = pair.public_key().as_ref().get(1..);
        let (x, y) = point
            .and_then(|point| point.split_at_checked(48))
            .context("a public key is a point of P-384")?;
        let [x, y] = [x, y].map(|coordinate| BASE64_URL_SAFE_NO_PAD.encode(coordinate));
        Ok(json!({ "kty": "EC", "crv": "P-384", "x": x, "y": y, "kid": KEY_ID }))
    }

    fn pair(&self) -> anyhow::Result<EcdsaKeyPair> {
        let encoded = BASE64_URL_SAFE_NO_PAD.decode(&self.0);
        let encoded = encoded.context("the key of a machine client is not base64")?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &encoded)
            .context("the key of a machine client is damaged")
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKey(..)")
    }
}

impl ClientCredentials {
    /// The header of an assertion.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({ "alg": "ES384", "kid": KEY_ID, "typ": "JWT" })
    }

    /// The claims of a new assertion for a token endpoint.
    ///
    /// # Errors
    /// When the system has no time or gives no randomness.
    pub fn claims(&self, audience: &str) -> anyhow::Result<Value> {
        let mut id = [0; 16];
        fill(&mut id).context("the system gives no randomness")?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a client of a running stack, at its time"
        )]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.context("the clock is before 1970")?.as_secs();
        Ok(json!({
            "iss": self.id,
            "sub": self.id,
            "aud": audience,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": BASE64_URL_SAFE_NO_PAD.encode(id),
        }))
    }

    /// A new assertion for a token endpoint.
    ///
    /// # Errors
    /// See [`Self::claims`].
    pub fn assertion(&self, audience: &str) -> anyhow::Result<String> {
        self.key.sign(&self.header(), &self.claims(audience)?)
    }
}

/// The form of a token request.
#[must_use]
pub fn token_form(assertion: &str, scope: &str) -> String {
    let scope = scope.replace(' ', "+");
    format!(
        "grant_type=client_credentials\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion={assertion}&scope={scope}"
    )
}

/// Signs a machine client in and returns its bearer token, which is valid for five minutes.
///
/// # Errors
/// When the stack cannot be reached, or refuses the client.
pub async fn issue_client_token(
    client: &HttpsClient,
    credentials: &ClientCredentials,
    scope: &str,
) -> anyhow::Result<String> {
    let audience = format!("https://{}/oauth/token", client.authority());
    let form = token_form(&credentials.assertion(&audience)?, scope);
    let request = Request::post("/oauth/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(form))
        .context("the token request cannot be built")?;
    let (head, body) = client.send(request).await?.into_parts();
    if head.status != StatusCode::OK {
        bail!(
            "the stack issues no token to a machine client ({}): {}",
            head.status,
            String::from_utf8_lossy(&body)
        );
    }
    let issued: Issued =
        serde_json::from_slice(&body).context("the response to the token request is not JSON")?;
    Ok(issued.access_token)
}
