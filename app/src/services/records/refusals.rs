//! Refusals of changes, and their audit events: a refusal may disclose stored data.

use access::record_refused_write;
use phi::Owner;

use super::Change;
use super::Records;
use crate::services::error::ServiceError;

/// The reason why a change is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RefusalReason {
    /// The patient that owns the resource is neither stored nor written by the same request.
    UnknownOwner,
    /// The stored resource has another owner.
    OwnerChanged,
    /// A resource with the id exists already.
    AlreadyExists,
    /// Another patient has the medical record number.
    MedicalRecordNumberTaken,
    /// The patient has more social security numbers than are indexed.
    TooManySocialSecurityNumbers,
    /// The patient's names and contact data are too long for lists and rosters.
    DemographicsTooLong,
    /// The patient's data was destroyed. The id cannot be used again.
    OwnerDestroyed,
    /// The resource has the maximum number of versions.
    TooManyVersions,
    /// The stored resource is not in the state that the precondition requires.
    PreconditionFailed,
    /// The stored resource was changed after the patch was applied to it.
    ChangedMeanwhile,
    /// The resource to be patched does not exist.
    NotFound,
    /// The resource to be patched is deleted.
    Deleted,
    /// The chart of the Patient to be deleted has other resources.
    ChartNotEmpty,
}

/// A refused change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    /// The index of the change.
    pub(crate) change: usize,
    /// The reason.
    pub(crate) reason: RefusalReason,
    /// The owner of the stored resource that the change concerns, which may not be the one that the change names; none if no
    /// resource is stored.
    pub(super) stored_owner: Option<Owner>,
}

impl Refusal {
    /// The refusal of a change to a resource that is not stored, or that belongs to the owner that the change names.
    pub(super) const fn new(change: usize, reason: RefusalReason) -> Self {
        Self {
            change,
            reason,
            stored_owner: None,
        }
    }
}

impl RefusalReason {
    /// Whether the reason discloses something of stored data.
    const fn discloses(self) -> bool {
        match self {
            Self::UnknownOwner
            | Self::OwnerChanged
            | Self::AlreadyExists
            | Self::MedicalRecordNumberTaken
            | Self::OwnerDestroyed
            | Self::TooManyVersions
            | Self::PreconditionFailed
            | Self::ChangedMeanwhile
            | Self::NotFound
            | Self::Deleted
            | Self::ChartNotEmpty => true,
            Self::TooManySocialSecurityNumbers | Self::DemographicsTooLong => false,
        }
    }
}

impl Records {
    /// Records the refusals that disclose something of stored data, as one event within the
    /// caller's budget.
    pub(super) async fn record_refused(
        &self,
        changes: &[Change<'_>],
        refusals: &[Refusal],
    ) -> Result<(), ServiceError> {
        let disclosing = refusals.iter().filter(|it| it.reason.discloses());
        let refused = disclosing.filter_map(|it| Some((changes.get(it.change)?, it.stored_owner)));
        let refused: Vec<_> = refused.collect();
        let Some((first, _)) = refused.first() else {
            return Ok(());
        };
        let records = refused.iter().map(|(change, stored_owner)| {
            // The event concerns the patient whose record is stored.
            let owner = stored_owner.map_or(change.owner, |owner| owner.patient());
            change.record_of(owner, None)
        });
        let records: Vec<_> = records.collect();
        record_refused_write(&self.trail, &first.permitted, &records).await?;
        Ok(())
    }
}
