//! The check of conditions by the transaction of the writes that depend on them.
//!
//! The transaction holds the locks of the owners whose writes could change what a condition finds, so that conditional writes of
//! one identifier exclude each other, in every instance of the app. If an owner's heads of the type are those that the search
//! compared, the condition holds. Otherwise the changed heads are compared with it: another resource of the same type is no
//! reason to repeat the whole.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use db::Transaction;
use fhir::ResourceType;
use phi::KeyError;
use phi::OpenError;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use uuid::Uuid;

use super::ApplyError;
use super::Change;
use super::Records;
use super::candidates::SearchScope;
use super::conditions::Basis;
use super::conditions::Evidence;
use super::conditions::HeadBasis;
use super::conditions::TokenBasis;
use super::reader::Reader;
use super::resource_key;
use super::write_error::WriteError;
use crate::limits::MAX_COMPARED_PATIENTS;
use crate::services::budget::CallerId;
use crate::services::error::ServiceError;
use crate::services::owners::LockError;
use crate::services::owners::OpenOwner;
use crate::services::request_budget::RequestBudget;

/// The conditions on which a request's writes depend.
pub(super) struct Conditions {
    organization: OrganizationId,
    caller: CallerId,
    by_owner: BTreeMap<Owner, Vec<Arc<Evidence>>>,
}

impl Conditions {
    /// The conditions of changes; none if no change depends on one.
    pub(super) fn of(changes: &[Change<'_>]) -> Option<Self> {
        let caller = changes.first()?.permitted.caller();
        let organization = caller.organization();
        let mut by_owner: BTreeMap<Owner, Vec<Arc<Evidence>>> = BTreeMap::new();
        for evidence in changes
            .iter()
            .filter_map(|change| change.condition.as_ref())
        {
            let of_owner = by_owner.entry(evidence.owner(organization)).or_default();
            of_owner.push(Arc::clone(evidence));
        }
        let caller = CallerId::of(caller);
        (!by_owner.is_empty()).then_some(Self {
            organization,
            caller,
            by_owner,
        })
    }

    /// The owners whose locks the conditions need.
    pub(super) fn owners(&self) -> impl Iterator<Item = Owner> {
        self.by_owner.keys().copied()
    }
}

impl Records {
    /// Loads the keys of the owners of conditions: a transaction that holds a connection must not wait for another one.
    pub(super) async fn load_condition_keys(
        &self,
        conditions: &Conditions,
    ) -> Result<(), ServiceError> {
        for owner in conditions.owners() {
            match self.keys.scope(conditions.organization, owner).await {
                // An owner that does not exist has no key; one that lost it is found when it is locked.
                Ok(_) | Err(KeyError::Missing | KeyError::Destroyed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Verifies the conditions of changes in a transaction of its own: a refusal by what a concurrent transaction has stored is
    /// none if that changed what a condition finds.
    ///
    /// # Errors
    ///
    /// [`ApplyError::ConditionChanged`] if a condition finds something else now.
    pub(super) async fn verify_conditions(
        &self,
        conditions: &Conditions,
    ) -> Result<(), WriteError> {
        self.load_condition_keys(conditions)
            .await
            .map_err(ApplyError::from)?;
        let mut transaction = self.database.begin().await?;
        for owner in conditions.owners() {
            self.lock_condition_owner(&mut transaction, conditions, owner)
                .await?;
        }
        Ok(transaction.rollback().await?)
    }

    /// Locks an owner on whose resources conditions depend, and which the transaction does not write; verifies the conditions.
    pub(super) async fn lock_condition_owner(
        &self,
        transaction: &mut Transaction,
        conditions: &Conditions,
        owner: Owner,
    ) -> Result<(), WriteError> {
        let organization = conditions.organization;
        let row = transaction.lock_owner(organization, &owner).await?;
        if row.is_none() && owner != Owner::of_organization(organization) {
            // A patient that does not exist has no resources; the condition found none either.
            return Ok(());
        }
        match OpenOwner::open(&self.keys, organization, owner, row).await {
            Ok(open) => {
                self.verify_conditions_of(transaction, conditions, owner, &open)
                    .await
            }
            Err(OpenError::Key(KeyError::Destroyed)) => Err(ApplyError::ConditionChanged.into()),
            Err(error) => Err(LockError::from(error).into()),
        }
    }

    /// Verifies the conditions on the resources of a locked owner.
    ///
    /// # Errors
    ///
    /// [`ApplyError::ConditionChanged`] if a condition finds something else now.
    pub(super) async fn verify_conditions_of(
        &self,
        transaction: &mut Transaction,
        conditions: &Conditions,
        owner: Owner,
        open: &OpenOwner,
    ) -> Result<(), WriteError> {
        let organization = conditions.organization;
        let of_owner = conditions.by_owner.get(&owner);
        let mut differing: BTreeMap<_, Vec<(&Evidence, &HeadBasis)>> = BTreeMap::new();
        let mut candidates = BTreeMap::new();
        for evidence in of_owner.into_iter().flatten() {
            match &evidence.basis {
                Basis::Tokens(basis) => {
                    self.verify_tokens(transaction, organization, evidence, basis)
                        .await?;
                    let others = basis.candidates.iter();
                    candidates.extend(others.filter(|(id, _)| !evidence.is_own(**id)));
                }
                Basis::Heads(basis) => {
                    let kind = basis.query.resource_type();
                    if !open.has_heads_of(kind.name(), &basis.seen.heads) {
                        let group = (kind, Arc::as_ptr(&basis.seen).addr());
                        differing.entry(group).or_default().push((evidence, basis));
                    }
                }
            }
        }
        verify_candidates(transaction, organization, &candidates).await?;
        // The searches of the conditions were charged to the budget of the request, and the check is not refused.
        let budget = RequestBudget::new();
        let reader = Reader {
            organization,
            caller: conditions.caller,
            budget: &budget,
        };
        for ((resource_type, _), group) in differing {
            let Some((_, first)) = group.first() else {
                continue;
            };
            let scope = SearchScope {
                reader,
                owner,
                resource_type,
                needs_values: true,
            };
            let heads = self
                .compare_heads(transaction, scope, open, &first.seen)
                .await?;
            if !group
                .iter()
                .all(|(evidence, basis)| heads.confirm(evidence, basis))
            {
                return Err(ApplyError::ConditionChanged.into());
            }
        }
        Ok(())
    }

    /// Verifies that the patients with a condition's tokens are those that it compared.
    async fn verify_tokens(
        &self,
        transaction: &mut Transaction,
        organization: OrganizationId,
        evidence: &Evidence,
        basis: &TokenBasis,
    ) -> Result<(), WriteError> {
        let mut patients = BTreeSet::new();
        let limit = u32::try_from(MAX_COMPARED_PATIENTS).unwrap_or(u32::MAX);
        for token in &basis.tokens {
            let found = transaction.patients_with_token(organization, token, limit);
            patients.extend(found.await?.into_iter().map(PatientId::uuid));
        }
        let others = |id: &Uuid| !evidence.is_own(*id);
        patients.retain(others);
        let compared = basis.candidates.keys().copied().filter(others);
        if patients.into_iter().eq(compared) {
            Ok(())
        } else {
            Err(ApplyError::ConditionChanged.into())
        }
    }
}

/// Verifies that the Patients that conditions compared are of the same versions.
async fn verify_candidates(
    transaction: &mut Transaction,
    organization: OrganizationId,
    candidates: &BTreeMap<&Uuid, &[u8; 32]>,
) -> Result<(), WriteError> {
    if candidates.is_empty() {
        return Ok(());
    }
    let keys = candidates.keys();
    let keys: Vec<_> = keys
        .map(|id| resource_key(ResourceType::Patient, **id))
        .collect();
    let heads = transaction.lock_resources(organization, &keys).await?;
    let heads = heads.iter().map(|it| &it.head);
    let macs: HashMap<_, _> = heads.map(|it| (it.id, it.mac.as_bytes())).collect();
    if candidates
        .iter()
        .all(|(id, mac)| macs.get(*id) == Some(mac))
    {
        Ok(())
    } else {
        Err(ApplyError::ConditionChanged.into())
    }
}
