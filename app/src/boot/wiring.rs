//! Construction of the services from the configuration.

use std::sync::Arc;

use db::Database;

use crate::boot::config::Config;
use crate::http::state::AppState;
use crate::http::state::Services;
use crate::services::blind_indexes::BlindIndexes;
use crate::services::budget::Budget;
use crate::services::callers::Callers;
use crate::services::clock::Clock;
use crate::services::cursors::Cursors;
use crate::services::feed::ChangeFeed;
use crate::services::gate::Gate;
use crate::services::identity::Identity;
use crate::services::keys::Keys;
use crate::services::organizations::Organizations;
use crate::services::readiness::Readiness;
use crate::services::records::Records;
use crate::services::release::Releases;
use crate::services::release::SystemFloorVerifier;
use crate::services::scrub::Scrubber;
use crate::services::sign_in::SignIn;
use crate::services::trail::AuditTrail;

/// Number of database connections over which keys are read.
const KEY_STORE_CONNECTIONS: u32 = 2;

/// Builds the services. Neither the database nor the key service has to be available yet. Must be
/// called within a tokio runtime.
///
/// # Errors
///
/// Invalid settings of the key service.
pub(crate) async fn build(config: &Config, clock: Clock) -> anyhow::Result<AppState> {
    let database = Database::new(&config.database);
    // Separate connections: a transaction that needs a key would otherwise hold a connection while
    // it waits for another one, and enough of these transactions would wait for each other.
    let key_store = Database::new(&db::Settings {
        connections: KEY_STORE_CONNECTIONS,
        ..config.database.clone()
    });
    let keys = Keys::connect(&config.keys, key_store).await?;
    database.set_floor_verifier(Arc::new(SystemFloorVerifier::new(keys.clone())));
    let feed = ChangeFeed::new(database.clone(), keys.clone());
    let callers = Callers::new(
        database.clone(),
        keys.clone(),
        feed.clone(),
        config.sessions,
        clock,
    );
    let trail = AuditTrail::new(
        keys.clone(),
        database.clone(),
        feed.clone(),
        callers.clone(),
        clock,
    );
    let memory = Budget::of_memory();
    let indexes = BlindIndexes::new(keys.clone(), database.clone());
    let identity = Arc::new(Identity::new(
        database.clone(),
        keys.clone(),
        indexes.clone(),
        trail.clone(),
        callers.clone(),
        config.sessions,
        clock,
    ));
    Ok(AppState::new(Services {
        callers,
        clock,
        gate: Gate::new(trail.clone()),
        sign_in: SignIn::new(identity.clone(), trail.clone(), clock),
        identity,
        organizations: Organizations::new(database.clone(), keys.clone(), trail.clone(), clock),
        records: Records::new(
            database.clone(),
            keys.clone(),
            trail.clone(),
            indexes,
            feed,
            clock,
            memory.clone(),
        ),
        cursors: Cursors::new(keys.clone(), clock),
        memory,
        scrubber: Scrubber::new(database.clone(), keys.clone(), clock),
        releases: Releases::new(database.clone(), keys.clone(), trail.clone(), clock),
        readiness: Readiness::new(database, keys, trail.clone()),
        trail,
        public_origin: config.server.public_origin.clone(),
    }))
}
