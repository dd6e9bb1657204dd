//! Audit events of callers. Only this crate constructs them.

use std::net::IpAddr;

use audit::Action;
use audit::Event;
use audit::Outcome;
use audit::PurposeOfUse;
use audit::RecordReference;
use time::OffsetDateTime;

use crate::Caller;
use crate::ChartAccess;
use crate::Credential;
use crate::ids::OrganizationId;
use crate::ids::PatientId;

/// An audit event of a caller, not yet recorded.
///
/// The event's `source` is empty. The client's address is a separate field, because its pseudonym
/// requires a key of the organization, which this crate does not have.
#[derive(Clone, Debug)]
pub struct CallerEvent {
    event: Event,
    organization: OrganizationId,
    source: Option<IpAddr>,
    credential: Credential,
    charts: Option<ChartAccess>,
}

/// The patients of an event whose charts its caller reached by care team or organization.
#[derive(Clone, Debug, Default)]
pub struct ReachedCharts(Vec<PatientId>);

impl ReachedCharts {
    /// Whether a caller with these charts reaches all of the patients at a time.
    #[must_use]
    pub fn are_in(&self, charts: Option<&ChartAccess>, at: OffsetDateTime) -> bool {
        let includes = |patient: &PatientId| charts.is_some_and(|it| it.includes(*patient, at));
        self.0.iter().all(includes)
    }
}

impl CallerEvent {
    pub(crate) fn new(
        caller: &Caller,
        at: OffsetDateTime,
        action: Action,
        outcome: Outcome,
        records: Vec<RecordReference>,
    ) -> Self {
        let mut patients = records.iter().filter_map(|record| record.patient);
        let is_emergency = patients.any(|patient| {
            let patient = PatientId::from_uuid(patient);
            caller.emergency_access(patient).is_some()
        });
        let purpose = if is_emergency {
            PurposeOfUse::BreakGlass
        } else {
            caller.role().purpose()
        };
        Self {
            event: Event {
                at,
                request: caller.origin().request,
                organization: caller.organization().uuid(),
                person: Some(caller.person()),
                role: Some(caller.role().name().to_owned()),
                session: Some(caller.session()),
                assurance: Some(caller.assurance()),
                source: None,
                action,
                outcome,
                purpose,
                suppressed: None,
                records,
            },
            organization: caller.organization(),
            source: caller.origin().source,
            credential: caller.credential(),
            charts: caller.charts().cloned(),
        }
    }

    /// The event as the summary of `suppressed` further events like it, whose records it does not name.
    pub(crate) fn into_summary(mut self, suppressed: u32) -> Self {
        self.event.suppressed = Some(suppressed);
        self.event.records = Vec::new();
        self
    }

    /// The event as that of a count of `matches`, whose records it does not name.
    pub(crate) fn counting(mut self, matches: Option<u32>) -> Self {
        self.event.suppressed = matches;
        self
    }

    /// The event.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// The caller's credential, by which a trail verifies that it is not revoked.
    #[must_use]
    pub const fn credential(&self) -> Credential {
        self.credential
    }

    /// The patients of the event whose charts the caller reached by care team or organization: a trail verifies that it
    /// still does, once the event is recorded and before anything is disclosed.
    #[must_use]
    pub fn reached_charts(&self) -> ReachedCharts {
        let Some(charts) = &self.charts else {
            return ReachedCharts::default();
        };
        let records = self.event.records.iter();
        let patients = records.filter_map(|record| record.patient.map(PatientId::from_uuid));
        let mut patients: Vec<_> = patients
            .filter(|patient| charts.includes(*patient, self.event.at))
            .collect();
        patients.sort_unstable();
        patients.dedup();
        ReachedCharts(patients)
    }

    /// The event, the organization whose log records it, and the client's address.
    #[must_use]
    pub fn into_parts(self) -> (Event, OrganizationId, Option<IpAddr>) {
        (self.event, self.organization, self.source)
    }
}
