//! The services of this process, built from the configuration.

use std::sync::Arc;

use db::Database;

use crate::boot::config::Config;
use crate::http::state::AppState;
use crate::http::state::Services;
use crate::services::Indexes;
use crate::services::budget::Budget;
use crate::services::callers::Callers;
use crate::services::clock::Clock;
use crate::services::feed::ChangeFeed;
use crate::services::gate::Gate;
use crate::services::identity::Identity;
use crate::services::keys::Keys;
use crate::services::organizations::Organizations;
use crate::services::readiness::Readiness;
use crate::services::records::Records;
use crate::services::release::Releases;
use crate::services::release::SystemFloor;
use crate::services::scrub::Scrubber;
use crate::services::sign_in::SignIn;
use crate::services::trail::AuditTrail;

/// The connections over which keys are read.
const KEY_CONNECTIONS: u32 = 2;

/// Builds the services. Neither the database nor the key service has to answer yet. Must be called within a tokio
/// runtime.
///
/// # Errors
///
/// Settings of the key service that are wrong.
pub(crate) async fn build(config: &Config, clock: Clock) -> anyhow::Result<AppState> {
    let database = Database::new(&config.database);
    // Connections of their own: a transaction may need a key, and would otherwise wait for a connection while it holds
    // one that others wait for.
    let key_store = Database::new(&db::Settings {
        connections: KEY_CONNECTIONS,
        ..config.database.clone()
    });
    let keys = Keys::connect(&config.keys, key_store).await?;
    database.set_floor_verifier(Arc::new(SystemFloor::new(keys.clone())));
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
    let indexes = Indexes::new(keys.clone(), database.clone());
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
        memory,
        scrubber: Scrubber::new(database.clone(), keys.clone(), clock),
        releases: Releases::new(database.clone(), keys.clone(), trail.clone(), clock),
        readiness: Readiness::new(database, keys, trail.clone()),
        trail,
        public_origin: config.server.public_origin.clone(),
    }))
}
