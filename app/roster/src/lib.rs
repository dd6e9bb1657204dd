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
pub use fields::DateSpan;
pub use fields::Full;
pub use fields::NameFields;
pub use fields::Order;
pub use fields::Page;
pub use fields::PatientFields;
pub use fields::SortKey;
pub use query::Condition;
pub use query::DateComparison;
pub use query::NameElements;
pub use query::RosterQuery;
pub use query::StringMatch;
pub use roster::Roster;
