//! What every handler works with.

use std::sync::Arc;

use db::Database;

use crate::clock::Clock;
use crate::config::Config;
use crate::identity::Identity;
use crate::keys::Keys;
use crate::ledger::Ledger;
use crate::records::Records;

/// The services of this process, to be cloned freely.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Services>);

/// The services themselves.
#[derive(Debug)]
pub(crate) struct Services {
    /// Tells the time.
    pub(crate) clock: Clock,
    /// The database.
    pub(crate) database: Database,
    /// The keys.
    pub(crate) keys: Keys,
    /// The audit trail.
    pub(crate) ledger: Ledger,
    /// Who signs in, and as what.
    pub(crate) identity: Identity,
    /// Patients and their charts.
    pub(crate) records: Records,
    /// The origin that browsers see.
    pub(crate) public_origin: String,
}

impl App {
    /// Wires the services up. Nothing needs to answer yet.
    ///
    /// # Errors
    ///
    /// What is wrong with the key service's settings.
    pub(crate) async fn new(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        let database = Database::new(&config.database);
        let keys = Keys::connect(&config.keys, database.clone()).await?;
        let ledger = Ledger::new(keys.clone(), database.clone());
        Ok(Self(Arc::new(Services {
            clock,
            identity: Identity::new(database.clone(), keys.clone(), config.sessions, clock),
            records: Records::new(database.clone(), keys.clone(), ledger.clone(), clock),
            database,
            keys,
            ledger,
            public_origin: config.server.public_origin.clone(),
        })))
    }
}

impl std::ops::Deref for App {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}
