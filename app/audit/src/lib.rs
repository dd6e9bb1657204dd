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

pub use body::Body;
pub use body::BodyError;
pub use body::Commitment;
pub use body::Seed;
pub use chain::BrokenChain;
pub use chain::Entry;
pub use chain::HashChain;
pub use chain::UnplacedEvent;
pub use chain::micros;
pub use chain::month;
pub use chain::verify_chain;
pub use event::Action;
pub use event::Assurance;
pub use event::Event;
pub use event::Outcome;
pub use event::PurposeOfUse;
pub use event::RecordReference;
pub use part::Part;
pub use proof::PartProof;
pub use proof::ProofError;
pub use rows::RowsCommitment;
pub use rows::WrittenRow;
