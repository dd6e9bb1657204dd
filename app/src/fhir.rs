//! FHIR R4 as pure code: what a resource is, what a Bundle asks for, how an answer is written.
//!
//! Nothing here holds a key, a connection or a right. A request goes
//! `bytes → Resource or Plan → (the record service) → answer`, and everything that is refused is
//! refused as an [`Outcome`]: issues that carry a place and a reason, never a value that was sent.

pub(crate) mod bundle;
pub(crate) mod capability;
mod definitions;
mod demographics;
mod document;
pub(crate) mod handlers;
mod kind;
mod outcome;
mod place;
mod reference;
pub(crate) mod request;
mod resource;
pub(crate) mod search;
mod summary;
mod validate;

pub(crate) use demographics::Demographics;
pub(crate) use document::Document;
pub(crate) use kind::{Compartment, Kind};
pub(crate) use outcome::{Issue, IssueCode, Outcome};
pub(crate) use place::Place;
pub(crate) use reference::{Target, parse_id};
pub(crate) use resource::{Resource, Stamp};
pub(crate) use summary::Summary;
