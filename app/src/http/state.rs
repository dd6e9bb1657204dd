//! The state of handlers: the services, but neither the database nor the keys.

use std::sync::Arc;

use crate::services::budget::Budget;
use crate::services::callers::Callers;
use crate::services::care_teams::CareTeams;
use crate::services::clock::Clock;
use crate::services::cursors::Cursors;
use crate::services::emergencies::Emergencies;
use crate::services::exports::Exports;
use crate::services::gate::Gate;
use crate::services::identity::Identity;
use crate::services::kept_forms::KeptForms;
use crate::services::organizations::Organizations;
use crate::services::readiness::Readiness;
use crate::services::records::Records;
use crate::services::release::Releases;
use crate::services::scrub::Scrubber;
use crate::services::sign_in::SignIn;
use crate::services::trail::AuditTrail;

/// The services of the process, shared by clones.
#[derive(Clone, Debug)]
pub(crate) struct AppState(Arc<Services>);

/// The services that handlers use.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) clock: Clock,
    pub(crate) trail: AuditTrail,
    /// Authorization: permits from the access policy.
    pub(crate) gate: Gate,
    /// Authentication: sessions, tokens and their people.
    pub(crate) callers: Callers,
    /// People, sessions and tokens.
    pub(crate) identity: Arc<Identity>,
    pub(crate) organizations: Organizations,
    /// Sign-in and sign-out.
    pub(crate) sign_in: SignIn,
    /// The cursors of paged results.
    pub(crate) cursors: Cursors,
    /// Forms that were sent after the end of their session.
    pub(crate) kept_forms: KeptForms,
    /// The budget of memory for documents.
    pub(crate) memory: Budget,
    /// Patients and their charts.
    pub(crate) records: Records,
    /// The people whose permissions reach a chart.
    pub(crate) care_teams: CareTeams,
    /// Emergency access to charts, and its review.
    pub(crate) emergencies: Emergencies,
    /// Bulk exports; none without a folder for their files.
    pub(crate) exports: Option<Exports>,
    pub(crate) releases: Releases,
    /// The readiness of dependencies.
    pub(crate) readiness: Readiness,
    /// The comparison of stored rows with the audit log.
    pub(crate) scrubber: Scrubber,
    /// The origin that browsers see: `https://host[:port]`.
    pub(crate) public_origin: String,
}

impl AppState {
    /// The state of these services.
    pub(crate) fn new(services: Services) -> Self {
        Self(Arc::new(services))
    }

    /// The base URL of the FHIR API.
    pub(crate) fn fhir_base(&self) -> String {
        format!("{}/fhir", self.public_origin)
    }
}

impl std::ops::Deref for AppState {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}
