//! The loader of keys: reads, checks and opens rows of the table `keys`.

mod refresh;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use phi_types::KeyId;
use phi_types::KeyState;
use phi_types::KeyStore;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::Purpose;
use phi_types::StoreError;
use phi_types::WrappedKey;
use phi_types::provider;

use super::KeyError;
use super::KeyringSettings;
use super::branch::Branch;
use super::branch::OpenOrganization;
use super::cache::SingleFlightCache;
use crate::authorization::AuthorizationKey;
use crate::index::IndexKey;
use crate::key_service::BranchContext;
use crate::key_service::KeyService;
use crate::key_service::RootWrapped;
use crate::key_service::ServiceError;
use crate::scope::ScopeKey;
use crate::secret::SecretKey;
use crate::wrap;

/// The loader of keys, from the key store and through the key service.
pub(super) struct KeyLoader<S> {
    pub(super) service: KeyService,
    pub(super) store: S,
    pub(super) settings: KeyringSettings,
    pub(super) organizations: SingleFlightCache<OrganizationId, Arc<OpenOrganization>>,
}

impl<S: KeyStore> KeyLoader<S> {
    /// The open keys of an organization. Opens its branch key if it is not open.
    pub(super) async fn organization(
        self: &Arc<Self>,
        organization: OrganizationId,
    ) -> Result<Arc<OpenOrganization>, KeyError> {
        let is_open = |open: &Arc<OpenOrganization>| open.is_open(Instant::now());
        let load = async || {
            let open = Arc::new(self.open_branch(organization).await?);
            refresh::spawn_refresh(self, &open);
            Ok(open)
        };
        let open = self
            .organizations
            .load_if_invalid(organization, is_open, load)
            .await?;
        open.touch();
        Ok(open)
    }

    /// Replaces an organization's open keys by refreshed ones, unless they were closed meanwhile.
    pub(super) fn replace(
        self: &Arc<Self>,
        before: &Arc<OpenOrganization>,
        refreshed: OpenOrganization,
    ) {
        let refreshed = Arc::new(refreshed);
        let is_before = |cached: &Arc<OpenOrganization>| Arc::ptr_eq(cached, before);
        let key = &before.organization;
        if self
            .organizations
            .replace_if(key, is_before, Arc::clone(&refreshed))
        {
            refresh::spawn_refresh(self, &refreshed);
        }
    }

    /// Closes an organization's open keys, unless they were replaced meanwhile.
    pub(super) fn close(&self, open: &Arc<OpenOrganization>) {
        self.organizations
            .remove_if(&open.organization, |cached| Arc::ptr_eq(cached, open));
    }

    /// Opens an organization's current branch key, by one call of the key service.
    pub(super) async fn open_branch(
        &self,
        organization: OrganizationId,
    ) -> Result<OpenOrganization, KeyError> {
        let opened = Instant::now();
        let (owner, purpose) = (Owner::Organization, Purpose::Branch);
        let row = self.current(organization, owner, purpose).await?;
        let branch = self.open_branch_row(organization, row).await?;
        let settings = &self.settings;
        Ok(OpenOrganization::new(
            organization,
            branch,
            opened,
            settings,
        ))
    }

    /// Opens a branch key of any version.
    async fn open_branch_row(
        &self,
        organization: OrganizationId,
        row: WrappedKey,
    ) -> Result<Branch, KeyError> {
        ensure_row(&row, organization, Owner::Organization, Purpose::Branch)?;
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
        verified(key, &row).map(|key| Branch {
            id: row.id,
            version: row.version,
            key,
        })
    }

    /// Opens a scope key from its row.
    pub(super) async fn scope_of_row(
        &self,
        open: &OpenOrganization,
        owner: Owner,
        row: &WrappedKey,
    ) -> Result<Arc<ScopeKey>, KeyError> {
        let key = self.open_row(open, owner, Purpose::Seal, row).await?;
        let scope = ScopeKey::new(open.organization, owner, row.id, key);
        Ok(Arc::new(scope))
    }

    pub(super) async fn index_key(
        &self,
        open: &OpenOrganization,
        id: KeyId,
    ) -> Result<Arc<IndexKey>, KeyError> {
        let row = self.by_id(open.organization, id).await?;
        let (owner, purpose) = (Owner::Organization, Purpose::Index);
        let key = self.open_row(open, owner, purpose, &row).await?;
        Ok(Arc::new(IndexKey::new(open.organization, row.id, &key)))
    }

    pub(super) async fn authorization_key(
        &self,
        open: &OpenOrganization,
        row: WrappedKey,
    ) -> Result<Arc<AuthorizationKey>, KeyError> {
        let (owner, purpose) = (Owner::Organization, Purpose::Authorization);
        let key = self.open_row(open, owner, purpose, &row).await?;
        let organization = open.organization;
        let key = AuthorizationKey::new(organization, row.id, row.state, &key);
        Ok(Arc::new(key))
    }

    pub(super) async fn service_mac(&self, message: &[u8]) -> Result<[u8; 32], KeyError> {
        self.service
            .mac(message)
            .await
            .map_err(|error| self.service_failed(error))
    }

    /// Opens a key that is wrapped under a branch key.
    async fn open_row(
        &self,
        open: &OpenOrganization,
        owner: Owner,
        purpose: Purpose,
        row: &WrappedKey,
    ) -> Result<SecretKey, KeyError> {
        ensure_row(row, open.organization, owner, purpose)?;
        let branch = self.branch_of(open, row).await?;
        let context = wrap::context(row, branch.id, branch.version);
        let key = wrap::unwrap(&branch.key, &context, &row.wrapped);
        verified(key.ok().ok_or(KeyError::Corrupt)?, row)
    }

    /// The branch key that wraps the row's key: nearly always the current one.
    async fn branch_of(
        &self,
        open: &OpenOrganization,
        row: &WrappedKey,
    ) -> Result<Arc<Branch>, KeyError> {
        let id = row.branch.filter(|_| row.provider == provider::BRANCH);
        let id = id.ok_or(KeyError::Corrupt)?;
        if id == open.branch.id {
            return Ok(Arc::clone(&open.branch));
        }
        let load = async || {
            let row = self.by_id(open.organization, id).await?;
            let branch = self.open_branch_row(open.organization, row).await?;
            Ok(Arc::new(branch))
        };
        open.former_branches.load(id, load).await
    }

    /// The row of an owner's current key.
    pub(super) async fn current(
        &self,
        organization: OrganizationId,
        owner: Owner,
        purpose: Purpose,
    ) -> Result<WrappedKey, KeyError> {
        let row = self.store.current(organization, &owner, purpose).await;
        let row = row.map_err(|error| self.store_failed(&error))?;
        let row = row.ok_or(KeyError::Missing)?;
        ensure_row(&row, organization, owner, purpose)?;
        if row.state == KeyState::Current {
            Ok(row)
        } else {
            Err(KeyError::Missing)
        }
    }

    /// The row of one key.
    pub(super) async fn by_id(
        &self,
        organization: OrganizationId,
        id: KeyId,
    ) -> Result<WrappedKey, KeyError> {
        let rows = self.by_ids(organization, &[id]).await?;
        rows.into_iter().next().ok_or(KeyError::Missing)
    }

    /// The rows of those of the keys `ids` that exist. Any other row is [`KeyError::Corrupt`].
    pub(super) async fn by_ids(
        &self,
        organization: OrganizationId,
        ids: &[KeyId],
    ) -> Result<Vec<WrappedKey>, KeyError> {
        let rows = self.store.by_ids(organization, ids).await;
        let rows = rows.map_err(|error| self.store_failed(&error))?;
        let requested: HashSet<KeyId> = ids.iter().copied().collect();
        if rows.iter().all(|row| requested.contains(&row.id)) {
            Ok(rows)
        } else {
            Err(KeyError::Corrupt)
        }
    }

    pub(super) fn service_failed(&self, error: ServiceError) -> KeyError {
        match error {
            ServiceError::Unavailable => self.unavailable(),
            ServiceError::Denied => KeyError::Denied,
            ServiceError::Corrupt => KeyError::Corrupt,
        }
    }

    pub(super) fn store_failed(&self, error: &StoreError) -> KeyError {
        let cause = std::error::Error::source(error).map(tracing::field::display);
        tracing::warn!(%error, cause, "key store failed");
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

/// Checks that a row is the requested one and that its key may be opened.
fn ensure_row(
    row: &WrappedKey,
    organization: OrganizationId,
    owner: Owner,
    purpose: Purpose,
) -> Result<(), KeyError> {
    let requested = row.organization == organization
        && row.owner == owner.id(organization)
        && row.owner_kind == owner.kind()
        && row.purpose == purpose;
    match row.state {
        _ if !requested => Err(KeyError::Corrupt),
        KeyState::Current | KeyState::Former => Ok(()),
        KeyState::Retired => Err(KeyError::Missing),
        KeyState::Destroyed => Err(KeyError::Destroyed),
    }
}

/// The key, if its row was written for it and is unaltered.
fn verified(key: SecretKey, row: &WrappedKey) -> Result<SecretKey, KeyError> {
    if wrap::matches_row(&key, row) {
        Ok(key)
    } else {
        Err(KeyError::Corrupt)
    }
}
