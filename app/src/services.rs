//! The services: callers, identity, records, change feed, rosters, audit trail, scrubber. No HTTP
//! types.

pub(crate) mod background;
pub(crate) mod blind_indexes;
pub(crate) mod budget;
pub(crate) mod callers;
pub(crate) mod care_teams;
mod client_held;
pub(crate) mod clock;
pub(crate) mod cursors;
pub(crate) mod document;
pub(crate) mod emergencies;
pub(crate) mod error;
pub(crate) mod exports;
pub(crate) mod feed;
pub(crate) mod gate;
pub(crate) mod identity;
pub(crate) mod kept_forms;
pub(crate) mod keys;
mod last_use;
mod newest_row;
#[cfg(feature = "next-release")]
mod next_release;
pub(crate) mod organizations;
mod owners;
pub(crate) mod read_batch;
pub(crate) mod readiness;
pub(crate) mod records;
pub(crate) mod release;
pub(crate) mod request_budget;
mod roster;
pub(crate) mod scrub;
pub(crate) mod sign_in;
pub(crate) mod trail;
mod written_row;
