//! What a mutation study comes to.

use std::fmt;

/// What became of each fault.
#[derive(Debug, Default)]
pub(in crate::commands) struct Study(pub(super) Vec<Outcome>);

/// What became of one.
#[derive(Debug)]
pub(in crate::commands) struct Outcome {
    /// Its name: the control's id and a number.
    pub(in crate::commands) mutant: String,
    /// What it is.
    pub(in crate::commands) fault: String,
    /// The rule that has to notice it.
    pub(in crate::commands) rule: String,
    pub(in crate::commands) end: End,
}

/// An end.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::commands) enum End {
    /// Its rule noticed it.
    Killed,
    /// It did not.
    Survived,
    /// It could not be made.
    Stillborn(String),
}

impl Study {
    /// How many faults were noticed, and how many were not.
    pub(in crate::commands) fn counts(&self) -> (u64, u64) {
        let count = |(killed, alive), outcome: &Outcome| match outcome.end {
            End::Killed => (killed + 1, alive),
            End::Survived | End::Stillborn(_) => (killed, alive + 1),
        };
        self.0.iter().fold((0, 0), count)
    }
}

impl fmt::Display for Study {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Outcome {
            mutant,
            fault,
            rule,
            end,
        } in &self.0
        {
            match end {
                End::Killed => {}
                End::Survived => writeln!(f, "{mutant}: {rule} does not notice {fault}")?,
                End::Stillborn(why) => writeln!(f, "{mutant}: cannot be made: {why}")?,
            }
        }
        let (killed, alive) = self.counts();
        writeln!(
            f,
            "{killed} of {} faults are noticed by their rules",
            killed + alive
        )
    }
}
