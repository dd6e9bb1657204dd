#![doc = include_str!("../README.md")]

mod body;
mod chain;
mod event;
mod merkle;
mod part;
mod proof;
mod rows;
#[cfg(test)]
mod samples;

pub use body::{Body, BodyError, Commitment, Seed};
pub use chain::{BrokenChain, Entry, HashChain, UnplacedEvent, micros, month, verify_chain};
pub use event::{Action, Assurance, Event, Outcome, PurposeOfUse, RecordReference};
pub use part::Part;
pub use proof::{PartProof, ProofError};
pub use rows::{RowsCommitment, WrittenRow};
