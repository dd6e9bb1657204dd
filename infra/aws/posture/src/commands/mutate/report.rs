//! The results of mutation testing.

use std::fmt;

/// The result of every mutant.
#[derive(Debug, Default)]
pub(in crate::commands) struct Report(pub(super) Vec<MutantResult>);

/// The result of a mutant.
#[derive(Debug)]
pub(super) struct MutantResult {
    /// The control's id and the number of the mutant.
    pub(super) name: String,
    /// The fault in words.
    pub(super) fault: String,
    /// The rule that must detect the fault.
    pub(super) rule: String,
    pub(super) status: Status,
}

/// The status of a mutant, in the terms of mutation testing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// The rule detected the fault.
    Killed,
    /// The rule did not detect the fault.
    Survived,
    /// The templates with the fault could not be built.
    Unviable(String),
}

impl Report {
    /// The numbers of killed mutants and of others.
    pub(in crate::commands) fn counts(&self) -> (u64, u64) {
        let count = |(killed, others), result: &MutantResult| match result.status {
            Status::Killed => (killed + 1, others),
            Status::Survived | Status::Unviable(_) => (killed, others + 1),
        };
        self.0.iter().fold((0, 0), count)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for MutantResult {
            name,
            fault,
            rule,
            status,
        } in &self.0
        {
            match status {
                Status::Killed => {}
                Status::Survived => writeln!(f, "{name}: {rule} does not detect {fault}")?,
                Status::Unviable(error) => writeln!(f, "{name}: cannot be built: {error}")?,
            }
        }
        let (killed, others) = self.counts();
        writeln!(
            f,
            "mutants: {killed} of {} killed by their rules",
            killed + others
        )
    }
}
