//! Searches for patients: the query, and which patients match it.

mod address;
mod code;
mod date;
mod form;
mod grammar;
mod patient_parameters;
mod patient_query;
mod searchset;
mod sort;
mod text;
mod token;

pub use address::AddressElement;
pub use address::AddressQuery;
pub use code::CodingQuery;
pub use code::FlagQuery;
pub use code::LanguageQuery;
pub use code::ReferenceQuery;
pub use code::ReferenceValue;
pub use date::DatePrefix;
pub use date::DateQuery;
pub use date::InstantQuery;
pub use form::parse;
pub use patient_parameters::PARAMETERS;
pub use patient_parameters::RESULT_PARAMETERS;
pub use patient_query::PatientQuery;
pub use searchset::searchset;
pub use searchset::searchset_entry;
pub use sort::PatientSort;
pub use sort::PatientSortKey;
pub use text::SearchableName;
pub use text::SearchableText;
pub use text::TextMatch;
pub use text::TextQuery;
pub use token::ContactQuery;
pub use token::IdentifierQuery;
pub use token::SystemQuery;
