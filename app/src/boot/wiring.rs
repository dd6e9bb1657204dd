//! Construction of the services from the configuration.

use std::sync::Arc;

use anyhow::Context as _;
use db::Database;
use objects::FolderStore;

use crate::boot::config::Config;
use crate::http::state::AppState;
use crate::http::state::Services;
use crate::services::blind_indexes::BlindIndexes;
use crate::services::budget::Budget;
use crate::services::callers::Callers;
use crate::services::care_teams::CareTeams;
use crate::services::clock::Clock;
use crate::services::cursors::Cursors;
use crate::services::emergencies::Emergencies;
use crate::services::exports::ExportSettings;
use crate::services::exports::Exports;
use crate::services::feed::ChangeFeed;
use crate::services::gate::Gate;
use crate::services::identity::Identity;
use crate::services::kept_forms::KeptForms;
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
    let (database, keys) = storage(config).await?;
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
        clock,
        &config.server.public_origin,
    ));
    let records = Records::new(
        database.clone(),
        keys.clone(),
        trail.clone(),
        indexes,
        feed,
        clock,
        memory.clone(),
    );
    let exports = exports(config, &database, &keys, &trail, &records, &memory, clock).await?;
    Ok(AppState::new(Services {
        callers,
        clock,
        gate: Gate::new(trail.clone()),
        sign_in: SignIn::new(identity.clone(), trail.clone(), clock),
        identity,
        organizations: Organizations::new(database.clone(), keys.clone(), trail.clone(), clock),
        records,
        exports,
        care_teams: CareTeams::new(database.clone(), keys.clone(), trail.clone()),
        emergencies: Emergencies::new(database.clone(), keys.clone(), trail.clone(), clock),
        cursors: Cursors::new(keys.clone(), clock),
        kept_forms: KeptForms::new(keys.clone(), clock),
        memory,
        scrubber: Scrubber::new(database.clone(), keys.clone(), clock),
        releases: Releases::new(database.clone(), keys.clone(), trail.clone(), clock),
        readiness: Readiness::new(database, keys, trail.clone()),
        trail,
        public_origin: config.server.public_origin.clone(),
    }))
}

/// The database, whose writes verify the release floor, and the keyring.
async fn storage(config: &Config) -> anyhow::Result<(Database, Keys)> {
    let database = Database::new(&config.database);
    let keys = Keys::connect(&config.keys, key_store(config)).await?;
    database.set_floor_verifier(Arc::new(SystemFloorVerifier::new(keys.clone())));
    Ok((database, keys))
}

/// The database for keys. Separate connections: a transaction that needs a key would otherwise hold a connection while it
/// waits for another one, and enough of these transactions would wait for each other.
fn key_store(config: &Config) -> Database {
    Database::new(&db::Settings {
        connections: KEY_STORE_CONNECTIONS,
        ..config.database.clone()
    })
}

/// Bulk exports; none without a folder for their files.
///
/// # Errors
///
/// A folder that cannot be used, or that other users have rights on.
async fn exports(
    config: &Config,
    database: &Database,
    keys: &Keys,
    trail: &AuditTrail,
    records: &Records,
    memory: &Budget,
    clock: Clock,
) -> anyhow::Result<Option<Exports>> {
    let Some(ExportSettings { folder, lifetime }) = &config.exports else {
        return Ok(None);
    };
    let store = FolderStore::open_folder(folder).await;
    let store = store.with_context(|| format!("EXPORT_FOLDER {}", folder.display()))?;
    Ok(Some(Exports::new(
        database.clone(),
        keys.clone(),
        trail.clone(),
        records.clone(),
        clock,
        memory.clone(),
        Arc::new(store),
        *lifetime,
    )))
}
