//! What changes amount to, compared with what is stored.

use std::collections::{HashMap, HashSet};

use db::{ResourceKey, ResourceRow, VersionRow};
use phi::{AuthorizationKey, OrganizationId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Applied, ApplyError, Change, Effect, Records, key_of, owner_column, owner_of};
use crate::services::error::ServiceError;
use fhir::{ResourceType, VersionMeta};

/// What one change amounts to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// What will become of it.
    pub(super) effect: Effect,
    /// The version it will have.
    pub(super) version: u32,
    /// When that version was stored, if it is stored already.
    stored_at: Option<OffsetDateTime>,
}

/// What changes amount to, and what was seen when that was found.
#[derive(Debug)]
pub(super) struct Plan {
    /// One step a change, in the same order.
    pub(super) steps: Vec<Step>,
    /// The versions of what is there.
    seen: HashMap<(String, Uuid), u32>,
}

impl Plan {
    /// Whether `held`, the heads of the same resources, are what the plan saw.
    pub(super) fn still_holds(&self, held: &[ResourceRow]) -> bool {
        held.len() == self.seen.len()
            && held.iter().all(|head| {
                self.seen
                    .get(&(head.kind.clone(), head.id))
                    .is_some_and(|v| *v == head.version)
            })
    }

    /// What became of each change, done at `now`.
    pub(super) fn applied(&self, now: OffsetDateTime) -> Vec<Applied> {
        let applied = |step: &Step| Applied {
            effect: step.effect,
            stamp: VersionMeta {
                version: u64::from(step.version),
                last_updated: step.stored_at.unwrap_or(now),
            },
        };
        self.steps.iter().map(applied).collect()
    }
}

impl Records {
    /// Compares `changes` with what is stored.
    pub(super) async fn plan(
        &self,
        organization: OrganizationId,
        changes: &[Change],
    ) -> Result<Plan, ApplyError> {
        let keys: Vec<_> = changes
            .iter()
            .map(|change| key_of(change.kind(), change.id))
            .collect();
        let stored = self.database.current_versions(organization, &keys).await?;
        let mut stored: HashMap<(String, Uuid), (ResourceRow, VersionRow)> = stored
            .into_iter()
            .map(|row| ((row.0.kind.clone(), row.0.id), row))
            .collect();
        let seen = stored
            .iter()
            .map(|(key, (head, _))| (key.clone(), head.version))
            .collect();
        self.owners_exist(organization, changes).await?;
        let key = self.keys.authorization(organization).await?;
        let mut steps = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            let row = stored.remove(&(change.kind().name().to_owned(), change.id));
            steps.push(match row {
                None => Step {
                    effect: Effect::Created,
                    version: 1,
                    stored_at: None,
                },
                Some(row) => self.compare(&key, organization, change, index, row).await?,
            });
        }
        Ok(Plan { steps, seen })
    }

    /// What a change to something that is there amounts to.
    async fn compare(
        &self,
        key: &AuthorizationKey,
        organization: OrganizationId,
        change: &Change,
        index: usize,
        (head, version): (ResourceRow, VersionRow),
    ) -> Result<Step, ApplyError> {
        if change.create {
            return Err(ApplyError::AlreadyThere(index));
        }
        if head.owner != owner_column(organization, change.owner) {
            return Err(ApplyError::OwnerChanged(index));
        }
        let current = head.version;
        let scope = self
            .keys
            .scope(organization, owner_of(change.kind(), head.owner))
            .await?;
        let stored = Self::open(key, &scope, head, version)?;
        if *stored.resource.to_bytes() == *change.resource.to_bytes() {
            let stored_at = Some(stored.stamp.last_updated);
            return Ok(Step {
                effect: Effect::Unchanged,
                version: current,
                stored_at,
            });
        }
        let version = current
            .checked_add(1)
            .ok_or(ServiceError::Conflict("too many versions"))?;
        Ok(Step {
            effect: Effect::Amended,
            version,
            stored_at: None,
        })
    }

    /// Sees that every owner is a patient who is there, or is written by the same changes.
    async fn owners_exist(
        &self,
        organization: OrganizationId,
        changes: &[Change],
    ) -> Result<(), ApplyError> {
        let mut known: HashSet<Uuid> = changes
            .iter()
            .filter(|change| change.kind() == ResourceType::Patient)
            .map(|change| change.id)
            .collect();
        for (index, change) in changes.iter().enumerate() {
            let Some(owner) = change.owner else { continue };
            if known.contains(&owner) {
                continue;
            }
            let patient = ResourceKey {
                kind: ResourceType::Patient.name(),
                id: owner,
            };
            let head = self.database.resource(organization, &patient).await?;
            let head = head.ok_or(ApplyError::UnknownOwner(index))?;
            self.keys.authorization(organization).await?.verify(head)?;
            known.insert(owner);
        }
        Ok(())
    }
}
