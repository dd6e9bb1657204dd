//! Generation of keys. The caller stores the rows, in the transaction that inserts their owner.

use std::sync::Arc;

use phi_types::KeyId;
use phi_types::KeyState;
use phi_types::KeyStore;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::Purpose;
use phi_types::RowMac;
use phi_types::WrappedKey;
use phi_types::provider;
use time::OffsetDateTime;

use super::KeyError;
use super::branch::Branch;
use super::branch::OpenOrganization;
use super::open::KeyLoader;
use crate::authorization::AuthorizationKey;
use crate::key_service::BranchContext;
use crate::scope::ScopeKey;
use crate::secret::SecretKey;
use crate::wrap;

/// The version of an owner's first key.
const FIRST: u32 = 1;

/// The keys of a new organization, open and as rows.
#[derive(Debug)]
pub struct NewOrganization {
    branch: Branch,
    /// The rows to insert: branch, authorization, index and scope key.
    pub rows: Vec<WrappedKey>,
    /// The authorization key, for the organization's first rows.
    pub authorization: AuthorizationKey,
    /// The scope key of the organization itself.
    pub scope: Arc<ScopeKey>,
    /// The id of the index key.
    pub index: KeyId,
}

impl NewOrganization {
    /// Makes the key of another owner of the new organization.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub fn new_scope(&self, owner: Owner, now: OffsetDateTime) -> Result<NewScope, KeyError> {
        scope_under(self.scope.organization(), &self.branch, owner, now)
    }
}

/// The key of a new owner, open and as a row.
#[derive(Debug)]
pub struct NewScope {
    /// The row to insert, together with the owner's.
    pub row: WrappedKey,
    /// The key.
    pub scope: Arc<ScopeKey>,
}

impl<S: KeyStore> KeyLoader<S> {
    /// Makes the keys of an organization, by one call of the key service.
    pub(super) async fn new_organization(
        &self,
        organization: OrganizationId,
        now: OffsetDateTime,
    ) -> Result<NewOrganization, KeyError> {
        let key = SecretKey::random();
        let mut row = new_row(organization, Owner::Organization, Purpose::Branch, now);
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
        let branch_row = completed(&key, row);
        let branch = Branch {
            id: branch_row.id,
            version: branch_row.version,
            key,
        };
        let (owner, id) = (Owner::Organization, |row: &WrappedKey| row.id);
        let (key, authorization) =
            wrapped_key(organization, &branch, owner, Purpose::Authorization, now)?;
        let authorization_key =
            AuthorizationKey::new(organization, id(&authorization), KeyState::Current, &key);
        let (_, index) = wrapped_key(organization, &branch, owner, Purpose::Index, now)?;
        let own = Owner::of_organization(organization);
        let (key, seal) = wrapped_key(organization, &branch, own, Purpose::Seal, now)?;
        Ok(NewOrganization {
            branch,
            authorization: authorization_key,
            scope: Arc::new(ScopeKey::new(organization, own, id(&seal), key)),
            index: id(&index),
            rows: vec![branch_row, authorization, index, seal],
        })
    }

    /// Makes an owner's first key, under the current branch key.
    pub(super) fn new_scope(
        open: &OpenOrganization,
        owner: Owner,
        now: OffsetDateTime,
    ) -> Result<NewScope, KeyError> {
        scope_under(open.organization, &open.branch, owner, now)
    }
}

/// A new scope key under a branch key.
fn scope_under(
    organization: OrganizationId,
    branch: &Branch,
    owner: Owner,
    now: OffsetDateTime,
) -> Result<NewScope, KeyError> {
    let (key, row) = wrapped_key(organization, branch, owner, Purpose::Seal, now)?;
    let scope = Arc::new(ScopeKey::new(organization, owner, row.id, key));
    Ok(NewScope { row, scope })
}

/// A new key under a branch key.
fn wrapped_key(
    organization: OrganizationId,
    branch: &Branch,
    owner: Owner,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<(SecretKey, WrappedKey), KeyError> {
    let key = SecretKey::random();
    let mut row = new_row(organization, owner, purpose, now);
    row.branch = Some(branch.id);
    row.branch_version = Some(branch.version);
    let context = wrap::context(&row, branch.id, branch.version);
    let wrapped = wrap::wrap(&branch.key, &context, &key);
    row.wrapped = wrapped.ok().ok_or(KeyError::Corrupt)?;
    let row = completed(&key, row);
    Ok((key, row))
}

/// The row with its commitment and its MAC.
fn completed(key: &SecretKey, mut row: WrappedKey) -> WrappedKey {
    row.commitment = wrap::commitment(key, row.id);
    row.mac = wrap::row_mac(key, &row);
    row
}

/// A row without the columns that wrapping sets.
fn new_row(
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
        state: KeyState::Current,
        created_at: now,
        mac: RowMac::UNSET,
    }
}
