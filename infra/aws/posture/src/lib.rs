#![doc = include_str!("../../README.md")]

mod architecture;
mod assembly;
mod cidr;
pub mod controls;
mod environment;
mod fault;
mod folder;
pub mod iam;
pub mod machine;
mod mutants;
#[cfg(test)]
mod one_truth;
pub mod orphans;
mod page;
mod parameters;
pub mod quotas;
pub mod reach;
pub mod rules;
mod scope;
mod sight;
mod templates;
mod text;
mod yaml;

pub use architecture::Architecture;
pub use architecture::Reference;
pub use architecture::Resource;
pub use assembly::assemble;
pub use environment::Deployment;
pub use environment::Environment;
pub use fault::Fault;
pub use page::page;
pub use sight::Sight;
pub use templates::Templates;
