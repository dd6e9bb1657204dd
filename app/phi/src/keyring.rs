//! The keyring: which keys are open, for how long, and how they are opened and made.

mod branch;
mod make;
mod open;
mod refresh;
mod shelf;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::authorization::AuthorizationKey;
use crate::columns::DEMOGRAPHICS_SSN;
use crate::ids::{KeyId, OrganizationId};
use crate::index::{BlindIndex, IndexKey};
use crate::key_service::KeyService;
use crate::keys::{KeyStore, Purpose, WrappedKey};
use crate::owner::Owner;
use crate::scope::Scope;

use open::Opener;
use shelf::Shelf;

/// How long keys stay open, and how many.
#[derive(Clone, Copy, Debug)]
pub struct KeyringSettings {
    /// The life of an opened branch key, and of all that was opened with it. Never over
    /// [`KeyringSettings::LONGEST`], whatever is written here.
    pub cache: Duration,
    /// What a caller is told to wait when the key service or the store is away.
    pub retry_after: Duration,
    /// How many organizations' keys are open at once.
    pub organizations: usize,
    /// How many scopes are open at once in each organization.
    pub scopes: usize,
}

impl KeyringSettings {
    /// The longest life of an opened key: what the key service takes back takes effect within it.
    pub const LONGEST: Duration = Duration::from_mins(5);
}

impl Default for KeyringSettings {
    fn default() -> Self {
        Self {
            cache: Self::LONGEST,
            retry_after: Duration::from_secs(5),
            organizations: 1_000,
            scopes: 10_000,
        }
    }
}

/// A key is not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key service or the key store is away; what is not open stays closed until it is back.
    #[error("the keys are not available now")]
    Unavailable {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The key service refuses: its key is disabled, deleted, or not ours to use.
    #[error("the key service refuses")]
    Denied,
    /// There is no such key.
    #[error("there is no such key")]
    Missing,
    /// The key was destroyed, and with it what it sealed.
    #[error("the key was destroyed")]
    Destroyed,
    /// The key's row is not as it was written.
    #[error("the key's row is not as it was written")]
    Corrupt,
}

/// Opens keys, keeps them open for a short while, and makes new ones.
///
/// One call of the key service opens an organization's branch key; everything below it is opened here,
/// and closed with it: at the latest [`KeyringSettings::cache`] after the branch key's *opening began*.
/// A branch key in use is opened anew in the background when 4/5 of its life are over. Cloning is
/// cheap, and clones share all keys.
pub struct Keyring<S>(Arc<Opener<S>>);

impl<S: KeyStore> Keyring<S> {
    /// A keyring with nothing open. It must be used within a tokio runtime.
    pub fn new(service: KeyService, store: S, settings: KeyringSettings) -> Self {
        let cache = settings.cache.min(KeyringSettings::LONGEST);
        let organizations = Shelf::new(settings.organizations);
        Self(Arc::new(Opener {
            service,
            store,
            settings: KeyringSettings { cache, ..settings },
            organizations,
        }))
    }

    /// The scope that seals what `owner` has, under its current key.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; [`KeyError::Missing`] if the owner has no key yet.
    pub async fn scope(
        &self,
        organization: OrganizationId,
        owner: Owner,
    ) -> Result<Arc<Scope>, KeyError> {
        let warm = self.0.warm(organization).await?;
        warm.scopes
            .load((owner, None), || self.0.current_scope(&warm, owner))
            .await
    }

    /// The scope that opens what was sealed under one key of `owner`, which may be a former one.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; [`KeyError::Missing`] if there is no such key of this owner.
    pub async fn scope_by_key(
        &self,
        organization: OrganizationId,
        owner: Owner,
        key: KeyId,
    ) -> Result<Arc<Scope>, KeyError> {
        let warm = self.0.warm(organization).await?;
        warm.scopes
            .load((owner, Some(key)), || {
                self.0.former_scope(&warm, owner, key)
            })
            .await
    }

    /// The scope of a key whose row was read together with other rows, so that many scopes need not
    /// be many queries.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; [`KeyError::Corrupt`] if the row is not a seal key of this owner.
    pub async fn scope_of_row(
        &self,
        organization: OrganizationId,
        owner: Owner,
        row: WrappedKey,
    ) -> Result<Arc<Scope>, KeyError> {
        let warm = self.0.warm(organization).await?;
        let key = (owner, Some(row.id));
        warm.scopes
            .load(key, || self.0.open_scope(&warm, owner, row))
            .await
    }

    /// The scope of `owner`, with a key made now if there is none. The organization must be there
    /// ([`ensure_organization`](Self::ensure_organization)).
    ///
    /// # Errors
    ///
    /// [`KeyError`]; [`KeyError::Destroyed`] if the owner had a key once.
    pub async fn ensure_scope(
        &self,
        organization: OrganizationId,
        owner: Owner,
        now: OffsetDateTime,
    ) -> Result<Arc<Scope>, KeyError> {
        let found = self.scope(organization, owner).await;
        if !matches!(found, Err(KeyError::Missing)) {
            return found;
        }
        let warm = self.0.warm(organization).await?;
        self.0.make_key(&warm, owner, Purpose::Seal, now).await?;
        self.scope(organization, owner).await
    }

    /// The organization's index key.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub async fn index(&self, organization: OrganizationId) -> Result<Arc<IndexKey>, KeyError> {
        let warm = self.0.warm(organization).await?;
        warm.index.load((), || self.0.index_key(&warm)).await
    }

    /// The organization's authorization key.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub async fn authorization(
        &self,
        organization: OrganizationId,
    ) -> Result<Arc<AuthorizationKey>, KeyError> {
        let warm = self.0.warm(organization).await?;
        warm.authorization
            .load((), || self.0.authorization_key(&warm))
            .await
    }

    /// Makes what keys an organization still lacks: branch, index, authorization, and its own scope.
    /// Safe to repeat, and to do from several instances at once.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub async fn ensure_organization(
        &self,
        organization: OrganizationId,
        now: OffsetDateTime,
    ) -> Result<(), KeyError> {
        if let Err(KeyError::Missing) = self.0.warm(organization).await {
            self.0.make_branch_key(organization, now).await?;
        }
        let warm = self.0.warm(organization).await?;
        if let Err(KeyError::Missing) = self.index(organization).await {
            self.0
                .make_key(&warm, Owner::Organization, Purpose::Index, now)
                .await?;
        }
        if let Err(KeyError::Missing) = self.authorization(organization).await {
            self.0
                .make_key(&warm, Owner::Organization, Purpose::Authorization, now)
                .await?;
        }
        self.index(organization).await?;
        self.authorization(organization).await?;
        let own = match organization {
            OrganizationId::SYSTEM => Owner::System,
            _ => Owner::Organization,
        };
        self.ensure_scope(organization, own, now).await.map(drop)
    }

    /// The index of a social security number, by one call of the key service. A leaked database and a
    /// leaked index key together do not tell the numbers; the key service never sees one.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub async fn ssn_index(
        &self,
        organization: OrganizationId,
        ssn: &str,
    ) -> Result<BlindIndex, KeyError> {
        let key = self.index(organization).await?;
        let mac = self
            .0
            .service_mac(&*key.blinded(&DEMOGRAPHICS_SSN, ssn))
            .await?;
        Ok(key.unblinded(&DEMOGRAPHICS_SSN, &mac))
    }

    /// When the organization's branch key closes, if it is open. What was made of opened values and is
    /// kept, a roster for one, must go with it. Asking does not count as use.
    #[must_use]
    pub fn branch_deadline(&self, organization: OrganizationId) -> Option<Instant> {
        let warm = self.0.organizations.peek(&organization)?;
        warm.is_open(Instant::now()).then_some(warm.deadline())
    }

    /// Whether the organization's branch key is open.
    #[must_use]
    pub fn is_warm(&self, organization: OrganizationId) -> bool {
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
