//! What the policies allow, evaluated by a simulator: identity policies, permissions boundaries, trust policies and the
//! policies of keys, buckets, secrets, vaults and VPC endpoints together.
//!
//! `iam.toml` holds the expectations: requests that are allowed or denied, requests that are denied with every context,
//! and the complete list of what each role may do. The list is the strongest: every action of AWS that any statement
//! allows is tried on each resource of the templates, on another resource of the account and on one of a foreign
//! account, in every context; what is not listed fails.
//!
//! Nothing is skipped. Each of these fails a rule: a policy in an unknown property, a reference that cannot be resolved,
//! an action, operator or condition key that AWS does not have, an AWS managed policy, a resource that a case names and
//! the templates do not have.
//!
//! Not evaluated: service control policies of an organization outside of these templates, and session policies.

mod batch;
mod collect;
mod evaluate;
mod expectations;
mod names;
mod queries;
mod wildcard;

pub use batch::Batch;
pub use batch::Results;
pub use batch::ResultsError;
pub use expectations::PolicyExpectations;
pub use queries::Queries;

use crate::architecture::Architecture;

/// Everything that a role may do is listed.
const NO_EXCESS: &str = "iam/no_role_does_more_than_is_listed";
/// Every listed grant is one that a role has.
const LIST_IS_CURRENT: &str = "iam/the_list_of_rights_is_current";
/// Every policy could be read, and has only actions, operators and keys that AWS has.
const EVERY_POLICY_IS_VALID: &str = "iam/every_policy_is_understood";
/// The rules that no case names.
const BUILT_IN_RULES: [&str; 3] = [NO_EXCESS, LIST_IS_CURRENT, EVERY_POLICY_IS_VALID];

impl PolicyExpectations {
    /// The names of all rules, such as `iam/app_decrypts_only_with_its_encryption_context`.
    #[must_use]
    pub fn rules(&self) -> Vec<String> {
        let of_cases = self.cases.iter().map(|case| case.rule.clone());
        let mut all: Vec<String> = of_cases.chain(BUILT_IN_RULES.map(str::to_owned)).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Adds all queries about an architecture to a batch.
    #[must_use]
    pub fn queries(&self, architecture: &Architecture, batch: &mut Batch) -> Queries {
        queries::QueryBuilder::new(architecture, self, batch).build()
    }
}

#[cfg(test)]
mod tests;
