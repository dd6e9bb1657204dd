//! AWS KMS as the key service.

mod https_only;

use std::collections::HashMap;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::Region;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::MacAlgorithmSpec;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::TlsContext;
use aws_smithy_http_client::tls::TrustStore;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use self::https_only::HttpsOnly;
use super::BranchContext;
use super::RootWrapped;
use super::ServiceError;
use crate::secret::SecretKey;
use phi_types::provider;

/// The KMS endpoint and the ids of its keys. Credentials are those of the SDK's standard chain.
#[derive(Clone, Debug)]
pub struct AwsKmsSettings {
    /// The region; `None` for that of the environment.
    pub region: Option<String>,
    /// An `https://` endpoint instead of the region's own.
    pub endpoint: Option<String>,
    /// The only certificate authorities to trust, as PEM; `None` for the system's.
    pub certificate_authority: Option<Vec<u8>>,
    /// The symmetric key that wraps branch keys: its id or ARN, which is stored beside each wrapped key. Not an
    /// alias, which can be pointed at another key.
    pub root: String,
    /// Former root keys, which still unwrap.
    pub former_roots: Vec<String>,
    /// The `HMAC_256` key.
    pub mac_key: String,
}

/// The settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AwsKmsError {
    /// The endpoint is not `https://`.
    #[error("the KMS endpoint must be an https:// address")]
    PlainEndpoint,
    /// A root key is named by an alias, which can be pointed at another key.
    #[error("the KMS root key must be named by its id or ARN, not by an alias")]
    Alias,
    /// The certificate authority is no PEM certificate.
    #[error("the KMS certificate authority is no PEM certificate")]
    CertificateAuthority,
}

/// AWS KMS, used through its SDK.
#[derive(Debug)]
pub struct AwsKms {
    client: Client,
    root: String,
    former_roots: Vec<String>,
    mac_key: String,
}

impl AwsKms {
    /// Makes the client. No request is sent.
    ///
    /// # Errors
    ///
    /// [`AwsKmsError`] if a setting cannot be used.
    pub async fn connect(settings: AwsKmsSettings) -> Result<Self, AwsKmsError> {
        if settings
            .endpoint
            .as_deref()
            .is_some_and(|endpoint| !endpoint.starts_with("https://"))
        {
            return Err(AwsKmsError::PlainEndpoint);
        }
        let roots = || settings.former_roots.iter().chain([&settings.root]);
        if roots().any(|root| root.starts_with("alias/") || root.contains(":alias/")) {
            return Err(AwsKmsError::Alias);
        }
        let tls = tls(settings.certificate_authority.as_deref())?;
        let http = Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(tls)
            .build_https();
        // Short, so that an outage is reported before the deadline of the request that needs the key.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_secs(2))
            .operation_timeout(Duration::from_secs(3))
            .build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .region(settings.region.map(Region::new))
            .load()
            .await;
        let config = aws_sdk_kms::config::Builder::from(&config).interceptor(HttpsOnly);
        let config = match settings.endpoint {
            Some(endpoint) => config.endpoint_url(endpoint).build(),
            None => config.build(),
        };
        Ok(Self {
            client: Client::from_conf(config),
            root: settings.root,
            former_roots: settings.former_roots,
            mac_key: settings.mac_key,
        })
    }

    pub(super) async fn wrap(
        &self,
        context: &BranchContext,
        key: &SecretKey,
    ) -> Result<RootWrapped, ServiceError> {
        let request = self.client.encrypt().key_id(&self.root);
        let request = request.set_encryption_context(Some(encryption_context(context)));
        let response = request
            .plaintext(Blob::new(key.expose().as_slice()))
            .send()
            .await;
        let blob = response.map_err(|error| failure(&error))?.ciphertext_blob;
        let bytes = blob.ok_or(ServiceError::Corrupt)?.into_inner();
        Ok(RootWrapped {
            root: self.root.clone(),
            provider: provider::AWS_KMS,
            bytes,
        })
    }

    pub(super) async fn unwrap(
        &self,
        wrapped: &RootWrapped,
        context: &BranchContext,
    ) -> Result<SecretKey, ServiceError> {
        // The name is read from the database: it must not select a key of another account, whose owner could have
        // chosen the plaintext.
        let is_configured = wrapped.root == self.root || self.former_roots.contains(&wrapped.root);
        if wrapped.provider != provider::AWS_KMS || !is_configured {
            return Err(ServiceError::Denied);
        }
        let request = self.client.decrypt().key_id(&wrapped.root);
        let request = request.set_encryption_context(Some(encryption_context(context)));
        let response = request
            .ciphertext_blob(Blob::new(wrapped.bytes.as_slice()))
            .send()
            .await;
        let blob = response.map_err(|error| failure(&error))?.plaintext;
        let key = Zeroizing::new(blob.ok_or(ServiceError::Corrupt)?.into_inner());
        SecretKey::from_slice(&key).ok_or(ServiceError::Corrupt)
    }

    pub(super) async fn mac(&self, message: &[u8]) -> Result<[u8; 32], ServiceError> {
        let request = self.client.generate_mac().key_id(&self.mac_key);
        let request = request.mac_algorithm(MacAlgorithmSpec::HmacSha256);
        let response = request.message(Blob::new(message)).send().await;
        let blob = response.map_err(|error| failure(&error))?.mac;
        let mac = blob.ok_or(ServiceError::Corrupt)?.into_inner();
        mac.try_into().ok().ok_or(ServiceError::Corrupt)
    }
}

/// The encryption context of a branch key. Opaque ids only: AWS writes it into `CloudTrail`.
fn encryption_context(context: &BranchContext) -> HashMap<String, String> {
    [
        ("organization", context.organization.to_string()),
        ("branch", context.branch.to_string()),
        ("version", context.version.to_string()),
        ("purpose", "branch".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The [`ServiceError`] of a failed call. AWS's own code is logged and not passed on.
fn failure<E: ProvideErrorMetadata>(error: &SdkError<E>) -> ServiceError {
    let code = error.code();
    tracing::warn!(code, kind = kind(error), "key service call failed");
    match code {
        Some(
            "AccessDeniedException"
            | "DisabledException"
            | "InvalidGrantTokenException"
            | "InvalidKeyUsageException"
            | "KMSInvalidStateException"
            | "NotFoundException"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "IncompleteSignature",
        ) => ServiceError::Denied,
        Some("IncorrectKeyException" | "InvalidCiphertextException") => ServiceError::Corrupt,
        _ => ServiceError::Unavailable,
    }
}

fn kind<E>(error: &SdkError<E>) -> &'static str {
    match error {
        SdkError::ConstructionFailure(_) => "construction",
        SdkError::TimeoutError(_) => "timeout",
        SdkError::DispatchFailure(_) => "dispatch",
        SdkError::ResponseError(_) => "response",
        SdkError::ServiceError(_) => "service",
        _ => "other",
    }
}

/// The TLS context that trusts only the given authorities, or without any the system's.
fn tls(authority: Option<&[u8]>) -> Result<TlsContext, AwsKmsError> {
    let store = match authority {
        Some(pem) if is_certificate(pem) => TrustStore::empty().with_pem_certificate(pem),
        Some(_) => return Err(AwsKmsError::CertificateAuthority),
        None => TrustStore::default(),
    };
    let context = TlsContext::builder().with_trust_store(store).build();
    context.ok().ok_or(AwsKmsError::CertificateAuthority)
}

/// Whether the bytes have the form of a PEM certificate. Checked here because the SDK panics on others.
fn is_certificate(pem: &[u8]) -> bool {
    let text = std::str::from_utf8(pem).unwrap_or_default();
    let Some((_, rest)) = text.split_once("-----BEGIN CERTIFICATE-----") else {
        return false;
    };
    let Some((body, _)) = rest.split_once("-----END CERTIFICATE-----") else {
        return false;
    };
    let body: String = body.split_whitespace().collect();
    STANDARD
        .decode(body)
        .is_ok_and(|der| der.first() == Some(&0x30))
}

#[cfg(test)]
mod tests;
