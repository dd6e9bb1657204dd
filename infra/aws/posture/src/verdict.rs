//! The result of a rule.

/// The result of one rule on one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The rule's kind and name: `guard/logs_are_encrypted`.
    pub rule: String,
    /// Whether the rule holds. A rule that applies to no resource does not hold.
    pub passed: bool,
    /// Why the rule fails, and what to change.
    pub message: String,
}
