#![doc = include_str!("../README.md")]
#![expect(
    clippy::indexing_slicing,
    reason = "JSON is looked into by index, which gives null for what is absent"
)]

mod answer;
mod apart;
pub mod audited;
mod client;
pub mod fhir;
mod intruder;
mod running;

pub use answer::Answer;
pub use apart::Apart;
pub use client::Client;
pub use intruder::Intruder;
pub use running::{Clinic, Role, Running};
