//! The keyring: which keys are open, for how long, and how they are opened and made.

mod branch;
mod cache;
mod make;
mod open;
mod read;
mod settings;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use phi_types::IndexToken;
use phi_types::KeyId;
use phi_types::KeyStore;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::Purpose;
use phi_types::WrappedKey;
use time::OffsetDateTime;

use crate::authorization::AuthorizationKey;
use crate::index::IndexKey;
use crate::index::IndexValue;
use crate::key_service::KeyService;
use crate::normalize::Normalizer;
use crate::normalize::social_security_number;
use crate::scope::ScopeKey;

use cache::SingleFlightCache;
use open::KeyLoader;
use read::reported;

pub use make::NewOrganization;
pub use make::NewScope;
pub use read::OpenError;
pub use read::Requested;
pub use read::Tampering;
pub use settings::KeyringSettings;

/// A key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key service or the key store cannot be reached. Keys that are open remain usable until their deadline.
    #[error("the keys are not available now")]
    Unavailable {
        /// The delay before a retry.
        retry_after: Duration,
    },
    /// The key service refuses: its key is disabled or deleted, or this process may not use it.
    #[error("the key service refuses")]
    Denied,
    /// There is no such key, or it is retired.
    #[error("there is no such key")]
    Missing,
    /// The key was destroyed: what it sealed cannot be opened any more.
    #[error("the key was destroyed")]
    Destroyed,
    /// The key's row is not as it was written, or not the one that was requested.
    #[error("the key's row is not as it was written")]
    Corrupt,
}

/// A cache of open keys, and the maker of new ones.
///
/// One call of the key service opens an organization's branch key; all keys under it are opened in this process, and
/// closed with it: at the latest [`KeyringSettings::cache`] after the call of the key service *began*. A branch key in
/// use is refreshed in the background after 4/5 of its lifetime. Clones are cheap and share all keys.
pub struct Keyring<S>(Arc<KeyLoader<S>>);

impl<S: KeyStore> Keyring<S> {
    /// A keyring without open keys. It must be used within a tokio runtime, which runs the refreshes.
    pub fn new(service: KeyService, store: S, settings: KeyringSettings) -> Self {
        let cache = settings.cache.min(KeyringSettings::MAX_CACHE);
        let organizations = SingleFlightCache::new(settings.organizations);
        Self(Arc::new(KeyLoader {
            service,
            store,
            settings: KeyringSettings { cache, ..settings },
            organizations,
        }))
    }

    /// The current scope key of `owner`, which seals new values.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; [`KeyError::Missing`] if the owner has no key. [`KeyError::Corrupt`] is reported as tampering.
    pub async fn scope(
        &self,
        organization: OrganizationId,
        owner: Owner,
    ) -> Result<Arc<ScopeKey>, KeyError> {
        let open = reported(organization, self.0.organization(organization).await)?;
        let load = async || {
            let row = self.0.current(organization, owner, Purpose::Seal).await?;
            let scope = self.0.scope_of_row(&open, owner, &row).await?;
            // Values are opened by key id: a writer that reads its values back needs no second load.
            let by_id = (owner, Some(scope.key_id()));
            open.scopes.insert(&by_id, Arc::clone(&scope));
            Ok(scope)
        };
        reported(organization, open.scopes.load((owner, None), load).await)
    }

    /// A scope key of `owner` by its id, current or former. Values are opened through [`Keyring::open`].
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub async fn scope_by_id(
        &self,
        organization: OrganizationId,
        owner: Owner,
        id: KeyId,
    ) -> Result<Arc<ScopeKey>, KeyError> {
        let open = self.0.organization(organization).await?;
        let load = async || {
            let row = self.0.by_id(organization, id).await?;
            self.0.scope_of_row(&open, owner, &row).await
        };
        open.scopes.load((owner, Some(id)), load).await
    }

    /// Opens a scope key from a row that the caller has read, without caching it: for passes over all patients, which
    /// would evict the keys in use.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; [`KeyError::Corrupt`] if the row is not a scope key of this owner.
    pub async fn scope_of_row(
        &self,
        organization: OrganizationId,
        owner: Owner,
        row: &WrappedKey,
    ) -> Result<Arc<ScopeKey>, KeyError> {
        let open = reported(organization, self.0.organization(organization).await)?;
        reported(organization, self.0.scope_of_row(&open, owner, row).await)
    }

    /// Makes the first key of a new owner. Store its row in the transaction that stores the owner.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub async fn new_scope(
        &self,
        organization: OrganizationId,
        owner: Owner,
        now: OffsetDateTime,
    ) -> Result<NewScope, KeyError> {
        let open = reported(organization, self.0.organization(organization).await)?;
        KeyLoader::<S>::new_scope(&open, owner, now)
    }

    /// Makes the keys of a new organization. Store their rows in the transaction that stores the organization.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub async fn new_organization(
        &self,
        organization: OrganizationId,
        now: OffsetDateTime,
    ) -> Result<NewOrganization, KeyError> {
        self.0.new_organization(organization, now).await
    }

    /// An index key of the organization, by its id.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub async fn index(
        &self,
        organization: OrganizationId,
        id: KeyId,
    ) -> Result<Arc<IndexKey>, KeyError> {
        let open = reported(organization, self.0.organization(organization).await)?;
        let load = async || self.0.index_key(&open, id).await;
        reported(organization, open.indexes.load(id, load).await)
    }

    /// The token of a social security number, by one call of the key service. A leaked database and a leaked
    /// index key together do not reveal the numbers; the key service never receives one. Only the ASCII letters and
    /// digits of the value count.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub async fn service_token(
        &self,
        index: &IndexKey,
        normalizer: Normalizer,
        value: IndexValue<'_>,
    ) -> Result<IndexToken, KeyError> {
        let digits = social_security_number(value.value);
        let value = IndexValue {
            value: &digits,
            ..value
        };
        let blinded = index.blinded(normalizer, value);
        let mac = self.0.service_mac(&*blinded).await?;
        Ok(index.unblinded(normalizer, value.parameter, &mac))
    }

    /// The organization's current authorization key, which authenticates new rows.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub async fn authorization(
        &self,
        organization: OrganizationId,
    ) -> Result<Arc<AuthorizationKey>, KeyError> {
        let open = reported(organization, self.0.organization(organization).await)?;
        let load = async || {
            let (owner, purpose) = (Owner::Organization, Purpose::Authorization);
            let row = self.0.current(organization, owner, purpose).await?;
            let key = self.0.authorization_key(&open, row).await?;
            let by_id = key.key_id();
            open.authorizations.insert(&by_id, Arc::clone(&key));
            Ok(key)
        };
        reported(organization, open.authorization.load((), load).await)
    }

    /// An authorization key of the organization by its id, current or former, which verifies rows.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; [`KeyError::Missing`] also for a retired key.
    pub async fn authorization_by_id(
        &self,
        organization: OrganizationId,
        id: KeyId,
    ) -> Result<Arc<AuthorizationKey>, KeyError> {
        let open = self.0.organization(organization).await?;
        let load = async || {
            let row = self.0.by_id(organization, id).await?;
            self.0.authorization_key(&open, row).await
        };
        open.authorizations.load(id, load).await
    }

    /// The time at which the organization's branch key closes, if it is open. Caches of opened values, such as a
    /// roster, must be discarded by then. This call does not count as use of the key.
    #[must_use]
    pub fn branch_deadline(&self, organization: OrganizationId) -> Option<Instant> {
        let open = self.0.organizations.peek(&organization)?;
        open.is_open(Instant::now()).then_some(open.deadline())
    }

    /// Whether the organization's branch key is open.
    #[must_use]
    pub fn is_open(&self, organization: OrganizationId) -> bool {
        self.branch_deadline(organization).is_some()
    }

    /// Closes all keys of an organization at once.
    pub fn close(&self, organization: OrganizationId) {
        self.0.organizations.remove(&organization);
    }
}

impl<S> Clone for Keyring<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for Keyring<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}

#[cfg(test)]
mod tests;
