#![doc = include_str!("../README.md")]

mod arena;
mod builder;
mod fields;
mod folded_fields;
mod ids;
mod list;
mod page;
mod paged;
mod patients;
mod query;
mod ranking;
mod roster;
mod terms;

pub use builder::RosterBuilder;
pub use fhir::search::DatePrefix;
pub use fhir::search::InstantQuery;
pub use fields::AddressFields;
pub use fields::DateSpan;
pub use fields::Full;
pub use fields::LanguageFields;
pub use fields::NameFields;
pub use fields::Order;
pub use fields::PatientFields;
pub use fields::SortKey;
pub use page::Page;
pub use page::PagePosition;
pub use page::Start;
pub use query::AddressElements;
pub use query::Condition;
pub use query::DateComparison;
pub use query::NameElements;
pub use query::RosterQuery;
pub use query::StringMatch;
pub use roster::Roster;
