//! Damaged records: stored, and not as they were written. A reader of several records shows the
//! others, and lists these.

use access::Record;
use access::Subject;
use phi::KeyError;
use phi::OpenError;
use phi::OrganizationId;
use phi::PatientId;
use phi::Tampering;
use uuid::Uuid;

use super::chart_subject;
use crate::services::error::ServiceError;
use fhir::ResourceType;

/// The failure to open one stored record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum OpenFailure {
    /// The record is damaged, which was reported. Others can be opened.
    Damaged,
    /// A dependency or a budget is unavailable: no other record can be opened, either.
    Service(ServiceError),
}

impl From<Tampering> for OpenFailure {
    /// Tampering was reported where it was found.
    fn from(_reported: Tampering) -> Self {
        Self::Damaged
    }
}

impl From<OpenError> for OpenFailure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Tampered(tampering) => tampering.into(),
            OpenError::Key(error @ (KeyError::Unavailable { .. } | KeyError::Denied)) => {
                Self::Service(error.into())
            }
            OpenError::Key(KeyError::Missing | KeyError::Destroyed | KeyError::Corrupt) => {
                let reason = "a stored record names a key that is missing or destroyed";
                Tampering::report("keys", reason, OrganizationId::SYSTEM, None).into()
            }
        }
    }
}

impl From<db::Error> for OpenFailure {
    fn from(error: db::Error) -> Self {
        match error {
            // The conversion reports them as tampering.
            db::Error::NotRequested(_) | db::Error::Corrupt(_) => {
                let _reported = ServiceError::from(error);
                Self::Damaged
            }
            db::Error::Unavailable(_)
            | db::Error::Conflict
            | db::Error::Floor(_)
            | db::Error::UniqueViolation(_)
            | db::Error::Unexpected(_) => Self::Service(error.into()),
        }
    }
}

impl From<ServiceError> for OpenFailure {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl From<OpenFailure> for ServiceError {
    fn from(failure: OpenFailure) -> Self {
        match failure {
            OpenFailure::Damaged => Self::Internal,
            OpenFailure::Service(error) => error,
        }
    }
}

/// The value of one record; none of a damaged one.
///
/// # Errors
///
/// A dependency or a budget is unavailable.
pub(super) fn undamaged<T>(
    opened: Result<T, impl Into<OpenFailure>>,
) -> Result<Option<T>, ServiceError> {
    match opened.map_err(Into::into) {
        Ok(value) => Ok(Some(value)),
        Err(OpenFailure::Damaged) => Ok(None),
        Err(OpenFailure::Service(error)) => Err(error),
    }
}

/// A resource that is stored and could not be opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DamagedRecord {
    /// Its type; none if the stored one is unknown.
    pub(crate) resource_type: Option<ResourceType>,
    /// Its id.
    pub(crate) id: Uuid,
}

impl DamagedRecord {
    /// The record with this stored type and id, which are claims of the database.
    pub(super) fn new(kind: &str, id: Uuid) -> Self {
        Self {
            resource_type: kind.parse().ok(),
            id,
        }
    }

    /// The record as an event names it: under the patient in whose chart it is stored. Its class is
    /// the chart's, whatever its claimed type: a row that was moved here from elsewhere does not
    /// take the chart from a caller without the right to that type.
    pub(super) fn record(&self, organization: OrganizationId, patient: PatientId) -> Record {
        let chart = chart_subject(organization);
        let kind = self.resource_type.map_or(chart.kind, ResourceType::name);
        let subject = Subject { kind, ..chart };
        subject.id(self.id).patient(patient).into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_outage_is_no_damage() {
        let outages: [OpenFailure; 3] = [
            OpenError::Key(KeyError::Denied).into(),
            OpenError::Key(KeyError::Unavailable {
                retry_after: Duration::from_secs(1),
            })
            .into(),
            db::Error::Conflict.into(),
        ];
        for outage in outages {
            let error = undamaged::<()>(Err(outage)).unwrap_err();
            assert!(matches!(error, ServiceError::Unavailable(_)), "{error}");
        }
    }

    #[test]
    fn what_is_not_as_it_was_written_is_damage_of_one_record() {
        let damages: [OpenFailure; 4] = [
            OpenError::Key(KeyError::Missing).into(),
            OpenError::Key(KeyError::Corrupt).into(),
            db::Error::NotRequested("resource_versions").into(),
            db::Error::Corrupt("resources").into(),
        ];
        for damage in damages {
            assert_eq!(damage, OpenFailure::Damaged);
            assert_eq!(ServiceError::from(damage), ServiceError::Internal);
        }
    }
}
