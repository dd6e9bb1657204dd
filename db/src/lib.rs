#![doc = include_str!("../README.md")]

pub mod accounts;
mod audit_addresses;
mod audit_events;
mod changes;
mod credentials;
mod database;
mod demographics;
mod demographics_states;
mod demotion;
mod error;
mod floor;
mod index_versions;
mod keys;
pub mod migrate;
mod organizations;
mod owners;
mod patient_index;
mod people;
mod release;
mod requested;
mod resource_versions;
mod resources;
mod roster;
mod scrub;
mod sessions;
mod settings;
mod sign_in_addresses;
mod sign_in_attempts;
mod stored;
mod version_lengths;

pub use audit_addresses::AddressRow;
pub use audit_events::EventRow;
pub use changes::{ChangeCounterRow, ChangeRow};
pub use credentials::CredentialRow;
pub use database::{Database, Transaction};
pub use demographics::DemographicsRow;
pub use demographics_states::DemographicsState;
pub use error::Error;
pub use floor::{FloorError, FloorVerifier, Verification};
pub use index_versions::IndexVersionRow;
pub use organizations::OrganizationRow;
pub use owners::OwnerRow;
pub use patient_index::PatientToken;
pub use people::PersonRow;
pub use release::{RELEASE, ReleaseFloorRow};
pub use resource_versions::{CurrentVersion, OwnedPosition, VersionRow};
pub use resources::{ResourceKey, ResourceRow, StoredHead};
pub use roster::RosterRow;
pub use scrub::{LoggedEvent, LoggedRow, ScrubbedRow};
pub use sessions::SessionRow;
pub use settings::Settings;
pub use sign_in_addresses::{AddressEvidence, EVIDENCE_PERIODS};
pub use sign_in_attempts::AttemptCounter;

/// The accounts of the database, as SQL for the server's owner: see `accounts.sql`.
pub const ACCOUNTS_SQL: &str = include_str!("../accounts.sql");
