#![doc = include_str!("../README.md")]

pub mod accounts;
mod audit_addresses;
mod audit_events;
mod columns;
mod credentials;
mod database;
mod demographics;
mod error;
mod keys;
pub mod migrate;
mod organizations;
mod people;
mod resource_versions;
mod resources;
mod sessions;
mod settings;
mod tokens;

pub use audit_addresses::AddressRow;
pub use audit_events::EventRow;
pub use credentials::CredentialRow;
pub use database::{Database, Transaction};
pub use demographics::{DemographicsRow, RosterKey};
pub use error::Error;
pub use organizations::OrganizationRow;
pub use people::{PersonId, PersonRow};
pub use resource_versions::VersionRow;
pub use resources::{ResourceKey, ResourceRow};
pub use sessions::SessionRow;
pub use settings::Settings;
pub use tokens::TokenRow;

/// The accounts of the database, as SQL for the server's owner: see `accounts.sql`.
pub const ACCOUNTS_SQL: &str = include_str!("../accounts.sql");
