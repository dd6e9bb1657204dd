//! The state that every handler receives.

use std::sync::Arc;

use db::Database;

use crate::services::clock::Clock;
use crate::services::gate::Gate;
use crate::services::identity::Identity;
use crate::services::keys::Keys;
use crate::services::ledger::Ledger;
use crate::services::records::Records;
use crate::services::sign_in::SignIn;

/// The services of this process; cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct AppState(Arc<Services>);

/// The services themselves.
#[derive(Debug)]
pub(crate) struct Services {
    /// The clock.
    pub(crate) clock: Clock,
    /// The database.
    pub(crate) database: Database,
    /// The keyring.
    pub(crate) keys: Keys,
    /// The audit trail.
    pub(crate) ledger: Ledger,
    /// Authorization of callers.
    pub(crate) gate: Gate,
    /// People, sessions and tokens.
    pub(crate) identity: Arc<Identity>,
    /// Sign-in and sign-out.
    pub(crate) sign_in: SignIn,
    /// Patients and their charts.
    pub(crate) records: Records,
    /// The origin that browsers see: `https://host[:port]`.
    pub(crate) public_origin: String,
}

impl AppState {
    /// State over these services.
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
