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
pub mod scanners;
mod spellings;

pub use answer::Answer;
pub use apart::Apart;
pub use client::Client;
pub use fault::Fault;
pub use fault::FaultProxy;
pub use hunt::Find;
pub use hunt::Hunt;
pub use intruder::Intruder;
pub use load::Load;
pub use load::Outcome;
pub use machine::Machine;
pub use memory::Memory;
pub use needles::Needles;
pub use patients::Bundle;
pub use patients::bundles;
pub use program::program;
pub use running::Clinic;
pub use running::Role;
pub use running::Running;
pub use spellings::Spelling;
