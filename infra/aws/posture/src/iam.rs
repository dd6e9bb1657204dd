//! What the policies allow, asked of a simulator: identity policies, boundaries, trust, the policies
//! of keys, buckets, secrets, vaults and endpoints together.
//!
//! `iam.toml` says what has to hold: which request is allowed or denied, what nobody may do whatever
//! else the request carries, and the whole of what each role may do. The last one is the strongest:
//! of all of AWS's actions, each that any statement allows is tried on each of our resources, on
//! another one of the account and on a stranger's, in every context; what is not listed fails.
//!
//! Nothing is passed over: a policy in an unknown place, a reference that means nothing, an action,
//! an operator or a condition key that AWS does not have, a managed policy of AWS's own, a resource
//! that a case names and that is not there: each fails a rule.
//!
//! Not asked: service control policies, which the organization has, and session policies.

mod batch;
mod catalogue;
mod collect;
mod judge;
mod names;
mod questions;

pub use batch::Answers;
pub use batch::AnswersError;
pub use batch::Batch;
pub use catalogue::Catalogue;
pub use questions::Questions;

use crate::Architecture;

/// All that a role may do is listed.
const PRODUCT: &str = "iam/no_role_does_more_than_is_listed";
/// All that is listed is something that a role may do.
const USED: &str = "iam/the_list_of_rights_is_current";
/// No policy holds what we, or AWS, do not know.
const UNDERSTOOD: &str = "iam/every_policy_is_understood";
/// The rules that no case names.
const ALWAYS: [&str; 3] = [PRODUCT, USED, UNDERSTOOD];

impl Catalogue {
    /// The names of all rules: `iam/app_decrypts_only_with_its_encryption_context`.
    #[must_use]
    pub fn rules(&self) -> Vec<String> {
        let asked = self.case.iter().map(|case| case.rule.clone());
        let mut all: Vec<String> = asked.chain(ALWAYS.map(str::to_owned)).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Puts everything that is to be asked about an architecture into a batch.
    #[must_use]
    pub fn questions(&self, architecture: &Architecture, batch: &mut Batch) -> Questions {
        questions::Asking::of(architecture, self, batch).all()
    }
}

#[cfg(test)]
mod tests;
