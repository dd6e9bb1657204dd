#![doc = include_str!("../README.md")]

pub mod accounts;
mod audit_addresses;
mod audit_events;
mod credentials;
mod database;
mod demographics;
mod demotion;
mod error;
mod index_versions;
mod keys;
pub mod migrate;
mod organizations;
mod owners;
mod patient_index;
mod people;
mod requested;
mod resource_versions;
mod resources;
mod sessions;
mod settings;
mod stored;

pub use audit_addresses::AddressRow;
pub use audit_events::EventRow;
pub use credentials::CredentialRow;
pub use database::{Database, Transaction};
pub use demographics::{CurrentDemographics, DemographicsRow, RosterKey};
pub use error::Error;
pub use index_versions::IndexVersionRow;
pub use organizations::OrganizationRow;
pub use owners::OwnerRow;
pub use patient_index::PatientToken;
pub use people::PersonRow;
pub use resource_versions::{CurrentVersion, VersionRow};
pub use resources::{ResourceKey, ResourceRow, StoredHead};
pub use sessions::SessionRow;
pub use settings::Settings;

/// The accounts of the database, as SQL for the server's owner: see `accounts.sql`.
pub const ACCOUNTS_SQL: &str = include_str!("../accounts.sql");
