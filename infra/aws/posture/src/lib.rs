#![doc = include_str!("../README.md")]

mod architecture;
mod assembly;
mod cidr;
pub mod controls;
mod controls_page;
#[cfg(test)]
mod drift;
mod environment;
mod error;
pub mod guard;
pub mod iam;
#[cfg(test)]
mod layers;
pub mod machine;
mod mutants;
pub mod orphans;
mod parameters;
pub mod quotas;
pub mod reach;
mod references;
mod rule_scope;
mod source_file;
mod templates;
mod text;
mod verdict;
mod yaml;

pub use architecture::Architecture;
pub use architecture::Resource;
pub use assembly::assemble;
pub use controls_page::controls_page;
pub use environment::Deployment;
pub use environment::Environment;
pub use error::InputError;
pub use rule_scope::RuleScope;
pub use templates::Templates;
pub use verdict::Verdict;
