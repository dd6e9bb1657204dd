//! Making keys.

use time::OffsetDateTime;

use super::KeyError;
use super::branch::Warm;
use super::open::Opener;
use crate::ids::{KeyId, OrganizationId};
use crate::key_service::BranchContext;
use crate::keys::{KeyState, KeyStore, Purpose, WrappedKey, provider};
use crate::owner::Owner;
use crate::rows::RowMac;
use crate::secret::SecretKey;
use crate::wrap;

/// The version of an owner's first key.
const FIRST: u32 = 1;

impl<S: KeyStore> Opener<S> {
    /// Makes an organization's first branch key, unless somebody else does so first.
    pub(super) async fn make_branch_key(
        &self,
        organization: OrganizationId,
        now: OffsetDateTime,
    ) -> Result<(), KeyError> {
        let key = SecretKey::random();
        let mut row = blank(organization, Owner::Organization, Purpose::Branch, now);
        let context = BranchContext {
            organization,
            branch: row.id,
            version: row.version,
        };
        let wrapped = self.service.wrap(&context, &key).await;
        let wrapped = wrapped.map_err(|error| self.service_failed(error))?;
        row.root = Some(wrapped.root);
        row.provider = wrapped.provider;
        row.wrapped = wrapped.bytes;
        self.insert(&key, row).await
    }

    /// Makes an owner's first key for a purpose under the current branch key, unless somebody else
    /// does so first.
    pub(super) async fn make_key(
        &self,
        warm: &Warm,
        owner: Owner,
        purpose: Purpose,
        now: OffsetDateTime,
    ) -> Result<(), KeyError> {
        let key = SecretKey::random();
        let mut row = blank(warm.organization, owner, purpose, now);
        let branch = &warm.branch;
        row.branch = Some(branch.id);
        row.branch_version = Some(branch.version);
        let context = wrap::context(&row, branch.id, branch.version);
        let wrapped = wrap::wrap(&branch.key, &context, &key);
        row.wrapped = wrapped.ok().ok_or(KeyError::Corrupt)?;
        self.insert(&key, row).await
    }

    /// Completes a row with what the key itself says of it, and stores it. Whether it or another's was
    /// stored is the same to the caller, who reads it next.
    async fn insert(&self, key: &SecretKey, mut row: WrappedKey) -> Result<(), KeyError> {
        row.commitment = wrap::commitment(key, row.id);
        row.mac = wrap::row_mac(key, &row);
        let inserted = self.store.insert(&row).await;
        inserted
            .map(drop)
            .map_err(|error| self.store_failed(&error))
    }
}

/// A row without what wrapping gives.
fn blank(
    organization: OrganizationId,
    owner: Owner,
    purpose: Purpose,
    now: OffsetDateTime,
) -> WrappedKey {
    WrappedKey {
        id: KeyId::random(),
        organization,
        owner: owner.id(organization),
        owner_kind: owner.kind(),
        purpose,
        version: FIRST,
        root: None,
        branch: None,
        branch_version: None,
        provider: provider::BRANCH,
        wrapped: Vec::new(),
        commitment: [0; 32],
        state: KeyState::Active,
        created_at: now,
        mac: RowMac::UNSET,
    }
}
