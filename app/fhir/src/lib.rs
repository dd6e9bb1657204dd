#![doc = include_str!("../README.md")]

pub mod bundle;
pub mod capability;
mod datatypes;
mod date_span;
mod definitions;
mod demographics;
mod element_path;
mod fold;
pub mod limits;
mod links;
mod operation_outcome;
mod reference;
mod resource;
mod resource_type;
pub mod search;
mod sensitive_json;
mod summary;
mod validate;

pub use date_span::DateSpan;
pub use demographics::{
    ContactSystem, Demographics, PatientContact, PatientIdentifier, PatientName, SSN_SYSTEM,
};
pub use element_path::ElementPath;
pub use fold::{FoldedName, fold_name};
pub use operation_outcome::{
    FHIR_JSON, Issue, IssueCode, Issues, OperationOutcome, Severity, Status,
};
pub use reference::{Reference, parse_id};
pub use resource::{NotAResource, Resource, VersionMeta, instant_text};
pub use resource_type::{Colour, Compartment, ResourceType, UnknownResourceType};
pub use sensitive_json::{SensitiveJson, parsed_bytes};
pub use summary::Summary;
