#![doc = include_str!("../README.md")]
#![expect(
    clippy::indexing_slicing,
    reason = "indexing a JSON value gives null for an absent member"
)]

mod attacker;
pub mod audit_trail;
mod bulk_client;
mod canaries;
mod client;
mod documented_table;
pub mod edge;
mod encodings;
mod exact_json;
pub mod export;
mod fault;
pub mod fhir;
mod fhir_clients;
mod hl7_examples;
mod isolated_stack;
mod load;
mod machine;
mod memory;
mod page_session;
mod patients;
mod program;
mod provisioned;
mod response;
mod running_stack;
mod scan;
pub mod scanners;
mod security_alerts;
mod sign_in_clients;

pub use attacker::Attacker;
pub use bulk_client::BulkAuthentication;
pub use bulk_client::fetch_group;
pub use canaries::Canaries;
pub use client::Client;
pub use documented_table::check_documented_table;
pub use encodings::Encoding;
pub use exact_json::ExactJson;
pub use fault::Fault;
pub use fault::FaultProxy;
pub use fhir_clients::CLIENTS;
pub use fhir_clients::FhirClient;
pub use fhir_clients::OperationResult;
pub use hl7_examples::Hl7Example;
pub use hl7_examples::Hl7Examples;
pub use isolated_stack::IsolatedStack;
pub use load::Load;
pub use load::LoadReport;
pub use machine::Machine;
pub use memory::MemoryMeter;
pub use page_session::PageSession;
pub use patients::Bundle;
pub use patients::bundles;
pub use program::program;
pub use response::TestResponse;
pub use running_stack::Clinic;
pub use running_stack::Role;
pub use running_stack::RunningStack;
pub use scan::Match;
pub use scan::Scanner;
pub use sign_in_clients::sign_in_with_each;
