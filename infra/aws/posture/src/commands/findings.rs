//! The result of a proof.

use anyhow::Context;

/// How many expectations hold, and which do not.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The number of expectations that hold.
    pub(super) passed: u64,
    /// The expectations that do not hold, a sentence each.
    pub(super) faults: Vec<String>,
}

impl Findings {
    /// Prints the faults, and a summary of `what` was checked.
    pub(super) fn print(&self, what: &str) {
        for fault in &self.faults {
            println!("{fault}");
        }
        println!(
            "{what}: {} passed, {} failed",
            self.passed,
            self.faults.len()
        );
    }

    /// The numbers of passed and failed expectations.
    pub(super) fn counts(&self) -> anyhow::Result<(u64, u64)> {
        let failed = u64::try_from(self.faults.len()).context("too many to count")?;
        Ok((self.passed, failed))
    }
}
