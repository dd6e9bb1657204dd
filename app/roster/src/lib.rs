#![doc = include_str!("../README.md")]

mod arena;
mod builder;
mod fields;
mod ids;
mod list;
mod paged;
mod patients;
mod query;
mod ranking;
mod roster;
mod terms;

pub use builder::RosterBuilder;
pub use fhir::search::DatePrefix;
pub use fields::{DateSpan, Full, NameFields, Order, Page, PatientFields, SortKey};
pub use query::{Condition, DateComparison, NameElements, RosterQuery, StringMatch};
pub use roster::Roster;
