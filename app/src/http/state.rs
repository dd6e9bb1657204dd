//! The state of handlers: the services, but neither the database nor the keys.

use std::sync::Arc;

use crate::services::budget::Budget;
use crate::services::callers::Callers;
use crate::services::clock::Clock;
use crate::services::cursors::Cursors;
use crate::services::gate::Gate;
use crate::services::identity::Identity;
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
    /// The budget of memory for documents.
    pub(crate) memory: Budget,
    /// Patients and their charts.
    pub(crate) records: Records,
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
}

impl std::ops::Deref for AppState {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}
