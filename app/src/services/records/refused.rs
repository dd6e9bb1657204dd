//! Refused writes, on record: a refusal says something of what is stored.

use access::{Record, record_refused_write};

use super::{ApplyError, Change, Records, subject};
use crate::services::error::ServiceError;
use fhir::ResourceType;

impl Change<'_> {
    /// The resource as an event names it.
    pub(super) fn record(&self, version: Option<u32>) -> Record {
        let organization = self.permitted.caller().organization();
        let subject = subject(organization, self.resource_type).id(self.id);
        let owner = self.owner.map(Into::into);
        let subject = owner.map_or(subject, |patient| subject.patient(patient));
        Record { subject, version }
    }
}

impl Records {
    /// Records that `changes` were refused because they contradict what is stored, within the caller's budget. The
    /// event names those that do, or all if it is not known which.
    pub(super) async fn record_refused(
        &self,
        changes: &[Change<'_>],
        error: ApplyError,
    ) -> Result<(), ServiceError> {
        let concerned: Vec<_> = changes
            .iter()
            .enumerate()
            .filter(|(index, change)| concerns(error, changes, *index, change))
            .map(|(_, change)| change)
            .collect();
        let Some(first) = concerned.first() else {
            return Ok(());
        };
        let records: Vec<_> = concerned.iter().map(|change| change.record(None)).collect();
        record_refused_write(&self.trail, &first.permitted, &records).await?;
        Ok(())
    }
}

/// Whether a change is refused for the reason of `error`.
fn concerns(error: ApplyError, changes: &[Change<'_>], index: usize, change: &Change<'_>) -> bool {
    match error {
        // Every other resource of that patient is refused for the same reason.
        ApplyError::UnknownOwner(at) => changes.get(at).is_some_and(|unknown| {
            change.owner == unknown.owner && change.resource_type != ResourceType::Patient
        }),
        ApplyError::OwnerChanged(at)
        | ApplyError::AlreadyThere(at)
        | ApplyError::RecordNumberTaken(at) => at == index,
        ApplyError::Service(ServiceError::Conflict(_)) => true,
        // The server's own failures; and what the policy refused, which is on record.
        ApplyError::Service(
            ServiceError::SignInRequired
            | ServiceError::Forbidden
            | ServiceError::NotFound
            | ServiceError::Unsupported(_)
            | ServiceError::TooManyAttempts(_)
            | ServiceError::Preparing { .. }
            | ServiceError::Unavailable(_)
            | ServiceError::Internal,
        ) => false,
    }
}
