//! The blind indexes of an organization: the versions of the registry, and the tokens made under them.

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

/// The time for which the registry is not read again. A new version is filled by every writer after it.
const FRESH: Duration = Duration::from_secs(1);

/// The index versions of all organizations.
#[derive(Clone, Debug)]
pub(crate) struct Indexes {
    keys: Keys,
    database: Database,
    cache: Arc<Mutex<HashMap<OrganizationId, Cached>>>,
}

#[derive(Clone, Debug)]
struct Cached {
    read: Instant,
    versions: Arc<[IndexVersion]>,
}

/// One version. Its key is not kept here: the keyring decides how long it stays open.
#[derive(Clone, Debug)]
struct IndexVersion {
    version: u16,
    key: KeyId,
    normalizer: Normalizer,
    state: IndexState,
}

/// A value to index or to find.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indexed<'a> {
    /// The parameter, the system and the value.
    pub(crate) value: IndexValue<'a>,
    /// Whether the value is one of few: a social security number, whose token passes through the key service.
    pub(crate) guessable: bool,
    /// Whether no two patients may have it.
    pub(crate) unique: bool,
}

impl Indexes {
    /// The indexes of all organizations.
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
        indexed: Indexed<'_>,
    ) -> Result<Vec<PatientToken>, ServiceError> {
        self.tokens(organization, indexed, |_| true).await
    }

    /// The token of a value under the newest version that searches read.
    pub(crate) async fn token_to_find(
        &self,
        organization: OrganizationId,
        indexed: Indexed<'_>,
    ) -> Result<PatientToken, ServiceError> {
        let is_live = |version: &IndexVersion| version.state == IndexState::Live;
        let tokens = self.tokens(organization, indexed, is_live).await?;
        tokens.into_iter().next_back().ok_or_else(|| {
            ServiceError::internal("the organization has no index that searches may read")
        })
    }

    /// The token of an address that a person signs in with.
    pub(crate) async fn sign_in_token(&self, email: &str) -> Result<IndexToken, ServiceError> {
        let value = IndexValue {
            parameter: IndexParameter::SignInEmail,
            system: None,
            value: email,
        };
        let indexed = Indexed {
            value,
            guessable: false,
            unique: true,
        };
        let token = self.token_to_find(OrganizationId::SYSTEM, indexed).await?;
        Ok(token.token)
    }

    async fn tokens(
        &self,
        organization: OrganizationId,
        indexed: Indexed<'_>,
        wanted: impl Fn(&IndexVersion) -> bool,
    ) -> Result<Vec<PatientToken>, ServiceError> {
        let versions = self.versions(organization).await?;
        let mut tokens = Vec::with_capacity(versions.len());
        for version in versions.iter().filter(|version| wanted(version)) {
            let key = self.keys.index(organization, version.key).await?;
            let normalizer = version.normalizer;
            let token = if indexed.guessable {
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

    /// The versions that are not retired, the oldest first. There is always one.
    async fn versions(
        &self,
        organization: OrganizationId,
    ) -> Result<Arc<[IndexVersion]>, ServiceError> {
        let now = Instant::now();
        let cached = self.lock().get(&organization).cloned();
        if let Some(cached) = cached.filter(|cached| cached.read + FRESH > now) {
            return Ok(cached.versions);
        }
        let mut versions = Vec::new();
        for row in self.database.index_versions(organization).await? {
            let row = self.keys.verify(organization, row).await?;
            if row.state == IndexState::Retired {
                continue;
            }
            let normalizer = Normalizer::from_code(row.normalizer)
                .ok_or_else(|| ServiceError::internal("an index names an unknown normalizer"))?;
            versions.push(IndexVersion {
                version: row.version,
                key: row.index_key,
                normalizer,
                state: row.state,
            });
        }
        if versions.is_empty() {
            return Err(self.missing(organization).await.into());
        }
        let versions: Arc<[IndexVersion]> = versions.into();
        let cached = Cached {
            read: now,
            versions: Arc::clone(&versions),
        };
        self.lock().insert(organization, cached);
        Ok(versions)
    }

    /// An organization without keys is not set up yet; one with keys has had its registry hidden.
    async fn missing(&self, organization: OrganizationId) -> OpenError {
        match self.keys.authorization(organization).await {
            Ok(_) => {
                let reason = "the registry of indexes is missing";
                Tampering::report("index_versions", reason, organization, None).into()
            }
            Err(error) => error.into(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<OrganizationId, Cached>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
