//! The services of this process, built from the configuration.

use std::sync::Arc;

use db::Database;

use crate::boot::config::Config;
use crate::http::state::{AppState, Services};
use crate::services::clock::Clock;
use crate::services::gate::Gate;
use crate::services::identity::Identity;
use crate::services::keys::Keys;
use crate::services::ledger::Ledger;
use crate::services::records::Records;
use crate::services::sign_in::SignIn;

/// Builds the services. Neither the database nor the key service has to answer yet.
///
/// # Errors
///
/// Settings of the key service that are wrong.
pub(crate) async fn build(config: &Config, clock: Clock) -> anyhow::Result<AppState> {
    let database = Database::new(&config.database);
    let keys = Keys::connect(&config.keys, database.clone()).await?;
    let ledger = Ledger::new(keys.clone(), database.clone());
    let identity = Arc::new(Identity::new(
        database.clone(),
        keys.clone(),
        config.sessions,
        clock,
    ));
    Ok(AppState::new(Services {
        clock,
        gate: Gate::new(ledger.clone(), clock),
        sign_in: SignIn::new(identity.clone(), ledger.clone(), clock),
        identity,
        records: Records::new(database.clone(), keys.clone(), ledger.clone(), clock),
        database,
        keys,
        ledger,
        public_origin: config.server.public_origin.clone(),
    }))
}
