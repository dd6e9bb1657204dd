#![doc = include_str!("../README.md")]
#![expect(
    clippy::indexing_slicing,
    reason = "JSON is looked into by index, which gives null for what is absent"
)]

mod alarms;
mod answer;
mod apart;
pub mod audited;
mod client;
pub mod edge;
mod fault;
pub mod fhir;
mod hunt;
mod intruder;
mod load;
mod machine;
mod memory;
mod needles;
mod patients;
mod program;
mod running;
mod spellings;

pub use answer::Answer;
pub use apart::Apart;
pub use client::Client;
pub use fault::{Fault, FaultProxy};
pub use hunt::{Find, Hunt};
pub use intruder::Intruder;
pub use load::{Load, Outcome};
pub use machine::Machine;
pub use memory::Memory;
pub use needles::Needles;
pub use patients::{Bundle, bundles};
pub use program::program;
pub use running::{Clinic, Role, Running};
pub use spellings::Spelling;
