//! Blind indexes: the versions in an organization's registry, and the tokens computed under them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use db::Database;
use db::PatientToken;
use phi::IndexParameter;
use phi::IndexState;
use phi::IndexToken;
use phi::IndexValue;
use phi::KeyId;
use phi::Normalizer;
use phi::OpenError;
use phi::OrganizationId;
use phi::Tampering;

use crate::services::error::ServiceError;
use crate::services::keys::Keys;

/// Time for which the versions of an organization are cached. A new version is filled by every
/// writer once it has passed.
const REGISTRY_TTL: Duration = Duration::from_secs(1);

/// The blind indexes of all organizations.
#[derive(Clone, Debug)]
pub(crate) struct BlindIndexes {
    keys: Keys,
    database: Database,
    cache: Arc<Mutex<HashMap<OrganizationId, CachedVersions>>>,
}

/// The versions of one organization.
#[derive(Clone, Debug)]
struct CachedVersions {
    read_at: Instant,
    versions: Arc<[IndexVersion]>,
}

/// A version of an organization's index. Its key is not cached here: the keyring decides how long
/// it stays open.
#[derive(Clone, Debug)]
struct IndexVersion {
    version: u16,
    key: KeyId,
    normalizer: Normalizer,
    state: IndexState,
}

/// A value to index or to search for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexedValue<'a> {
    /// The search parameter, the identifier system and the value.
    pub(crate) value: IndexValue<'a>,
    /// Whether the value has little entropy, as a social security number has: then the key service
    /// takes part in the computation of its token.
    pub(crate) low_entropy: bool,
    /// Whether no two patients may have the value.
    pub(crate) unique: bool,
}

impl<'a> IndexedValue<'a> {
    /// A value that is neither of low entropy nor unique.
    pub(crate) const fn new(
        parameter: IndexParameter,
        system: Option<&'a str>,
        value: &'a str,
    ) -> Self {
        Self {
            value: IndexValue {
                parameter,
                system,
                value,
            },
            low_entropy: false,
            unique: false,
        }
    }
}

impl BlindIndexes {
    /// The indexes over these services.
    pub(crate) fn new(keys: Keys, database: Database) -> Self {
        Self {
            keys,
            database,
            cache: Arc::default(),
        }
    }

    /// The tokens of a value under every version that writers fill.
    pub(crate) async fn tokens_to_store(
        &self,
        organization: OrganizationId,
        indexed: IndexedValue<'_>,
    ) -> Result<Vec<PatientToken>, ServiceError> {
        self.tokens(organization, indexed, |_| true).await
    }

    /// The token of a value under the newest live version, which searches read.
    pub(crate) async fn token_to_find(
        &self,
        organization: OrganizationId,
        indexed: IndexedValue<'_>,
    ) -> Result<PatientToken, ServiceError> {
        let is_live = |version: &IndexVersion| version.state == IndexState::Live;
        let tokens = self.tokens(organization, indexed, is_live).await?;
        tokens
            .into_iter()
            .next_back()
            .ok_or_else(|| ServiceError::internal("the organization has no live index"))
    }

    /// The token of a sign-in e-mail address.
    pub(crate) async fn sign_in_token(&self, email: &str) -> Result<IndexToken, ServiceError> {
        let indexed = IndexedValue {
            unique: true,
            ..IndexedValue::new(IndexParameter::SignInEmail, None, email)
        };
        let token = self.token_to_find(OrganizationId::SYSTEM, indexed).await?;
        Ok(token.token)
    }

    async fn tokens(
        &self,
        organization: OrganizationId,
        indexed: IndexedValue<'_>,
        wanted: impl Fn(&IndexVersion) -> bool,
    ) -> Result<Vec<PatientToken>, ServiceError> {
        let versions = self.versions(organization).await?;
        let mut tokens = Vec::with_capacity(versions.len());
        for version in versions.iter().filter(|version| wanted(version)) {
            let key = self.keys.index(organization, version.key).await?;
            let normalizer = version.normalizer;
            let token = if indexed.low_entropy {
                let token = self.keys.service_token(&key, normalizer, indexed.value);
                token.await?
            } else {
                key.token(normalizer, indexed.value)
            };
            tokens.push(PatientToken {
                parameter: indexed.value.parameter,
                version: version.version,
                token,
                unique: indexed.unique,
            });
        }
        Ok(tokens)
    }

    /// The versions that are not retired, oldest first. There is always one.
    async fn versions(
        &self,
        organization: OrganizationId,
    ) -> Result<Arc<[IndexVersion]>, ServiceError> {
        let now = Instant::now();
        let cached = self.lock().get(&organization).cloned();
        if let Some(cached) = cached.filter(|cached| cached.read_at + REGISTRY_TTL > now) {
            return Ok(cached.versions);
        }
        let mut versions = Vec::new();
        for row in self.database.index_versions(organization).await? {
            let row = self.keys.verify(organization, row).await?;
            if row.state == IndexState::Retired {
                continue;
            }
            let normalizer = Normalizer::from_code(row.normalizer)
                .ok_or_else(|| ServiceError::internal("an index has an unknown normalizer"))?;
            versions.push(IndexVersion {
                version: row.version,
                key: row.index_key,
                normalizer,
                state: row.state,
            });
        }
        if versions.is_empty() {
            return Err(self.empty_registry(organization).await.into());
        }
        let versions: Arc<[IndexVersion]> = versions.into();
        let cached = CachedVersions {
            read_at: now,
            versions: Arc::clone(&versions),
        };
        self.lock().insert(organization, cached);
        Ok(versions)
    }

    /// The error for an empty registry. An organization without keys is not set up yet; one with
    /// keys has had its registry hidden.
    async fn empty_registry(&self, organization: OrganizationId) -> OpenError {
        match self.keys.authorization(organization).await {
            Ok(_) => {
                let reason = "the index registry is missing";
                Tampering::report("index_versions", reason, organization, None).into()
            }
            Err(error) => error.into(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<OrganizationId, CachedVersions>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
