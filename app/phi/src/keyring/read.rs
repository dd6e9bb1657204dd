//! Verification of stored rows and opening of sealed values: the only functions that do either.
//!
//! The caller passes what it requested: organization, owner, row and column. The key, current or former, is found by
//! the id in the row or in the value's header. A mismatch is reported as tampering, here and nowhere else.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use phi_types::AuthenticatedRow;
use phi_types::Authority;
use phi_types::Column;
use phi_types::KeyId;
use phi_types::KeyStore;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::WrappedKey;
use phi_types::tables;
use uuid::Uuid;

use super::KeyError;
use super::Keyring;
use crate::authorization::Verified;
use crate::plaintext::Plaintext;
use crate::scope::ScopeKey;
use crate::value::Phi;

/// The place from which a sealed value was requested: its associated data.
#[derive(Clone, Copy, Debug)]
pub struct Requested {
    /// The organization.
    pub organization: OrganizationId,
    /// The owner of the value.
    pub owner: Owner,
    /// The row that contains the value.
    pub row: RowId,
}

/// Evidence of tampering: stored data is not what this stack wrote, or not what was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("table {table}: {reason}")]
pub struct Tampering {
    /// The table.
    pub table: &'static str,
    /// The mismatch.
    pub reason: &'static str,
}

impl Tampering {
    /// Reports tampering: one log line with `security = true` and opaque ids only.
    #[must_use]
    pub fn report(
        table: &'static str,
        reason: &'static str,
        organization: OrganizationId,
        row: Option<Uuid>,
    ) -> Self {
        tracing::error!(
            security = true,
            table,
            %organization,
            row = row.map(tracing::field::display),
            reason,
            "tampering: stored data is not what was written, or not what was requested"
        );
        Self { table, reason }
    }
}

/// A stored row or value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The data was tampered with.
    #[error(transparent)]
    Tampered(#[from] Tampering),
}

const NO_HEADER: &str = "the value has no header";

/// Opens a value under the key that its header names, or reports tampering.
fn open_under<C>(
    requested: Requested,
    scope: Result<Arc<ScopeKey>, KeyError>,
    sealed: &Sealed<C>,
) -> Result<Phi<C::Value>, OpenError>
where
    C: Column<Value: Plaintext>,
{
    let scope = match scope {
        Err(KeyError::Missing | KeyError::Corrupt) => {
            return Err(tampered::<C>(
                requested,
                "the header names no key of the owner",
            ));
        }
        scope => scope?,
    };
    let opened = scope.open(requested.row, sealed).ok();
    opened.ok_or_else(|| tampered::<C>(requested, "the value does not open in its place"))
}

fn tampered<C: Column>(requested: Requested, reason: &'static str) -> OpenError {
    let Requested {
        organization, row, ..
    } = requested;
    Tampering::report(C::TABLE, reason, organization, Some(row.uuid())).into()
}

/// Reports [`KeyError::Corrupt`] as tampering, and returns the outcome unchanged.
pub(super) fn reported<T>(
    organization: OrganizationId,
    outcome: Result<T, KeyError>,
) -> Result<T, KeyError> {
    outcome.inspect_err(|error| {
        if *error == KeyError::Corrupt {
            let reason = "a key's row is not as it was written, or not the requested one";
            let _tampering = Tampering::report(tables::KEYS.name, reason, organization, None);
        }
    })
}

impl<S: KeyStore> Keyring<S> {
    /// Verifies the MAC of a row that was requested from `organization`.
    ///
    /// # Errors
    ///
    /// [`OpenError::Tampered`] if the row belongs to another organization or does not verify under the key that
    /// it names.
    pub async fn verify<R: AuthenticatedRow>(
        &self,
        organization: OrganizationId,
        row: R,
    ) -> Result<Verified<R>, OpenError> {
        let id = row.row_id();
        let tampered = |reason| Tampering::report(R::TABLE.name, reason, organization, Some(id));
        if row.organization() != organization {
            return Err(tampered("the row belongs to another organization").into());
        }
        let authority = match R::TABLE.authority {
            Authority::Organization => organization,
            Authority::System => OrganizationId::SYSTEM,
            Authority::Itself => return Err(tampered("the row is verified by its own key").into()),
        };
        let key = match self.authorization_by_id(authority, row.mac().key()).await {
            Err(KeyError::Missing | KeyError::Corrupt | KeyError::Destroyed) => {
                return Err(tampered("the MAC names no key that may verify it").into());
            }
            key => key?,
        };
        let verified = key.verify(row);
        verified.ok_or_else(|| tampered("the MAC does not verify").into())
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    ///
    /// [`OpenError::Tampered`] if the value was altered, sealed for another place, or sealed under a key that is not
    /// the owner's; [`KeyError::Destroyed`] if its key was destroyed.
    pub async fn open<C>(
        &self,
        requested: Requested,
        sealed: &Sealed<C>,
    ) -> Result<Phi<C::Value>, OpenError>
    where
        C: Column<Value: Plaintext>,
    {
        let tampered = |reason| tampered::<C>(requested, reason);
        let key = sealed.key_id().ok_or_else(|| tampered(NO_HEADER))?;
        let scope = self.scope_by_id(requested.organization, requested.owner, key);
        open_under(requested, scope.await, sealed)
    }

    /// Opens a sealed value under a key whose row the caller has read, without caching the key: for passes over all
    /// patients, which would evict the keys in use.
    ///
    /// # Errors
    ///
    /// As [`Keyring::open`]; also [`OpenError::Tampered`] if `key` is not the key that the value names.
    pub async fn open_with_key<C>(
        &self,
        requested: Requested,
        sealed: &Sealed<C>,
        key: Option<&WrappedKey>,
    ) -> Result<Phi<C::Value>, OpenError>
    where
        C: Column<Value: Plaintext>,
    {
        let named = sealed
            .key_id()
            .ok_or_else(|| tampered::<C>(requested, NO_HEADER))?;
        let scope = match key.filter(|key| key.id == named) {
            Some(key) => {
                let open = self.0.organization(requested.organization).await?;
                self.0.scope_of_row(&open, requested.owner, key).await
            }
            None => Err(KeyError::Missing),
        };
        open_under(requested, scope, sealed)
    }

    /// Opens and caches the scope keys of many values by one query, instead of one for each.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`] or [`KeyError::Denied`]; a key that is missing or does not open is reported when
    /// a value that names it is opened.
    pub async fn prefetch(
        &self,
        organization: OrganizationId,
        wanted: impl IntoIterator<Item = (Owner, KeyId)>,
    ) -> Result<(), KeyError> {
        let open = self.0.organization(organization).await?;
        let missing: HashMap<KeyId, Owner> = wanted
            .into_iter()
            .filter(|(owner, id)| open.scopes.peek(&(*owner, Some(*id))).is_none())
            .map(|(owner, id)| (id, owner))
            .collect();
        if missing.len() < 2 {
            return Ok(());
        }
        let ids: Vec<KeyId> = missing.keys().copied().collect();
        let rows = match self.0.by_ids(organization, &ids).await {
            // Not reported here: opening a value reads its own key and reports tampering with it.
            Err(KeyError::Corrupt) => return Ok(()),
            rows => rows?,
        };
        let mut seen = HashSet::new();
        for row in rows {
            let Some(owner) = missing.get(&row.id).filter(|_| seen.insert(row.id)) else {
                continue;
            };
            if let Ok(scope) = self.0.scope_of_row(&open, *owner, &row).await {
                open.scopes.insert(&(*owner, Some(row.id)), scope);
            }
        }
        Ok(())
    }
}
