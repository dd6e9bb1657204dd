//! Reading, checking, opening and making the rows of the `keys` table.

use std::sync::Arc;
use std::time::Instant;

use super::branch::{Branch, Warm};
use super::shelf::Shelf;
use super::{KeyError, KeyringSettings, refresh};
use crate::authorization::AuthorizationKey;
use crate::ids::{KeyId, OrganizationId};
use crate::index::IndexKey;
use crate::key_service::{BranchContext, KeyService, RootWrapped, ServiceError};
use crate::keys::{KeyState, KeyStore, Purpose, StoreError, WrappedKey, provider};
use crate::owner::Owner;
use crate::scope::Scope;
use crate::secret::SecretKey;
use crate::wrap;

/// What the keyring opens keys with.
pub(super) struct Opener<S> {
    pub(super) service: KeyService,
    pub(super) store: S,
    pub(super) settings: KeyringSettings,
    pub(super) organizations: Shelf<OrganizationId, Arc<Warm>>,
}

impl<S: KeyStore> Opener<S> {
    /// What is open of an organization, with its branch key opened if it is not.
    pub(super) async fn warm(
        self: &Arc<Self>,
        organization: OrganizationId,
    ) -> Result<Arc<Warm>, KeyError> {
        let open = |warm: &Arc<Warm>| warm.is_open(Instant::now());
        let load = async || {
            let warm = Arc::new(self.open_branch(organization).await?);
            refresh::look_after(self, &warm);
            Ok(warm)
        };
        let warm = self
            .organizations
            .load_unless(organization, open, load)
            .await?;
        warm.touch();
        Ok(warm)
    }

    /// Puts a freshly opened branch key in the place of the one before, unless that was closed.
    pub(super) fn replace(self: &Arc<Self>, before: &Arc<Warm>, fresh: Warm) {
        let fresh = Arc::new(fresh);
        let meant = |shelved: &Arc<Warm>| Arc::ptr_eq(shelved, before);
        if self
            .organizations
            .replace_if(&before.organization, meant, Arc::clone(&fresh))
        {
            refresh::look_after(self, &fresh);
        }
    }

    /// Closes a branch key, unless another took its place.
    pub(super) fn close(&self, warm: &Arc<Warm>) {
        self.organizations
            .remove_if(&warm.organization, |shelved| Arc::ptr_eq(shelved, warm));
    }

    /// Opens an organization's current branch key, by one call of the key service.
    pub(super) async fn open_branch(&self, organization: OrganizationId) -> Result<Warm, KeyError> {
        let opened = Instant::now();
        let row = self
            .current(organization, Owner::Organization, Purpose::Branch)
            .await?;
        let branch = self.open_branch_row(organization, row).await?;
        Ok(Warm::new(organization, branch, opened, &self.settings))
    }

    /// Opens a branch key, of whatever version.
    async fn open_branch_row(
        &self,
        organization: OrganizationId,
        row: WrappedKey,
    ) -> Result<Branch, KeyError> {
        expect(&row, organization, Owner::Organization, Purpose::Branch)?;
        let root = row.root.clone().ok_or(KeyError::Corrupt)?;
        let wrapped = RootWrapped {
            root,
            provider: row.provider,
            bytes: row.wrapped.clone(),
        };
        let context = BranchContext {
            organization,
            branch: row.id,
            version: row.version,
        };
        let key = self.service.unwrap(&wrapped, &context).await;
        let key = key.map_err(|error| self.service_failed(error))?;
        checked(key, &row).map(|key| Branch {
            id: row.id,
            version: row.version,
            key,
        })
    }

    pub(super) async fn current_scope(
        &self,
        warm: &Warm,
        owner: Owner,
    ) -> Result<Arc<Scope>, KeyError> {
        let row = self
            .current(warm.organization, owner, Purpose::Seal)
            .await?;
        self.open_scope(warm, owner, row).await
    }

    pub(super) async fn former_scope(
        &self,
        warm: &Warm,
        owner: Owner,
        key: KeyId,
    ) -> Result<Arc<Scope>, KeyError> {
        let row = self
            .store
            .by_id(key)
            .await
            .map_err(|error| self.store_failed(&error))?;
        let ours = |row: &WrappedKey| is_of(row, warm.organization, owner, Purpose::Seal);
        let row = row.filter(ours).ok_or(KeyError::Missing)?;
        self.open_scope(warm, owner, row).await
    }

    pub(super) async fn open_scope(
        &self,
        warm: &Warm,
        owner: Owner,
        row: WrappedKey,
    ) -> Result<Arc<Scope>, KeyError> {
        let key = self.open_row(warm, owner, Purpose::Seal, &row).await?;
        Ok(Arc::new(Scope::new(warm.organization, owner, row.id, key)))
    }

    pub(super) async fn index_key(&self, warm: &Warm) -> Result<Arc<IndexKey>, KeyError> {
        let owner = Owner::Organization;
        let row = self
            .current(warm.organization, owner, Purpose::Index)
            .await?;
        let key = self.open_row(warm, owner, Purpose::Index, &row).await?;
        Ok(Arc::new(IndexKey::new(warm.organization, row.id, &key)))
    }

    pub(super) async fn authorization_key(
        &self,
        warm: &Warm,
    ) -> Result<Arc<AuthorizationKey>, KeyError> {
        let (owner, purpose) = (Owner::Organization, Purpose::Authorization);
        let row = self.current(warm.organization, owner, purpose).await?;
        let key = self.open_row(warm, owner, purpose, &row).await?;
        Ok(Arc::new(AuthorizationKey::new(
            warm.organization,
            row.id,
            &key,
        )))
    }

    pub(super) async fn service_mac(&self, message: &[u8]) -> Result<[u8; 32], KeyError> {
        self.service
            .mac(message)
            .await
            .map_err(|error| self.service_failed(error))
    }

    /// Opens a key that a branch key wraps.
    async fn open_row(
        &self,
        warm: &Warm,
        owner: Owner,
        purpose: Purpose,
        row: &WrappedKey,
    ) -> Result<SecretKey, KeyError> {
        expect(row, warm.organization, owner, purpose)?;
        let branch = self.branch_of(warm, row).await?;
        let context = wrap::context(row, branch.id, branch.version);
        let key = wrap::unwrap(&branch.key, &context, &row.wrapped);
        checked(key.ok().ok_or(KeyError::Corrupt)?, row)
    }

    /// The branch key that a row names: nearly always the current one.
    async fn branch_of(&self, warm: &Warm, row: &WrappedKey) -> Result<Arc<Branch>, KeyError> {
        let id = row.branch.filter(|_| row.provider == provider::BRANCH);
        let id = id.ok_or(KeyError::Corrupt)?;
        if id == warm.branch.id {
            return Ok(Arc::clone(&warm.branch));
        }
        let load = async || {
            let row = self
                .store
                .by_id(id)
                .await
                .map_err(|error| self.store_failed(&error))?;
            let row = row.ok_or(KeyError::Missing)?;
            self.open_branch_row(warm.organization, row)
                .await
                .map(Arc::new)
        };
        warm.others.load(id, load).await
    }

    async fn current(
        &self,
        organization: OrganizationId,
        owner: Owner,
        purpose: Purpose,
    ) -> Result<WrappedKey, KeyError> {
        let row = self.store.active(organization, &owner, purpose).await;
        row.map_err(|error| self.store_failed(&error))?
            .ok_or(KeyError::Missing)
    }

    pub(super) fn service_failed(&self, error: ServiceError) -> KeyError {
        match error {
            ServiceError::Unavailable => self.unavailable(),
            ServiceError::Denied => KeyError::Denied,
            ServiceError::Corrupt => KeyError::Corrupt,
        }
    }

    pub(super) fn store_failed(&self, error: &StoreError) -> KeyError {
        tracing::warn!(%error, "key store failed");
        match error {
            StoreError::Unavailable(_) => self.unavailable(),
            StoreError::Corrupt(_) => KeyError::Corrupt,
        }
    }

    const fn unavailable(&self) -> KeyError {
        KeyError::Unavailable {
            retry_after: self.settings.retry_after,
        }
    }
}

/// Whether a row is of this owner and purpose.
fn is_of(row: &WrappedKey, organization: OrganizationId, owner: Owner, purpose: Purpose) -> bool {
    row.organization == organization
        && row.owner == owner.id(organization)
        && row.owner_kind == owner.kind()
        && row.purpose == purpose
}

/// That a row is what was asked for, and not destroyed.
fn expect(
    row: &WrappedKey,
    organization: OrganizationId,
    owner: Owner,
    purpose: Purpose,
) -> Result<(), KeyError> {
    match row.state {
        _ if !is_of(row, organization, owner, purpose) => Err(KeyError::Corrupt),
        KeyState::Destroyed => Err(KeyError::Destroyed),
        KeyState::Active => Ok(()),
    }
}

/// The key, if it is the one that its row was written for.
fn checked(key: SecretKey, row: &WrappedKey) -> Result<SecretKey, KeyError> {
    if wrap::agrees(&key, row) {
        Ok(key)
    } else {
        Err(KeyError::Corrupt)
    }
}
