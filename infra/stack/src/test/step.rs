//! The result of a step.

use std::fmt;

/// The result of a step. One that could not run is an error, and counts as failed.
#[derive(Clone, Debug)]
pub(crate) enum StepResult {
    /// It ran to its end, with these numbers of tests.
    Done(Counts),
    /// A tool that it needs is not available here: the reason.
    Skipped(String),
}

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// Reads a result line of a Rust test runner:
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut counts = Self::default();
        for part in numbers.split(';') {
            let Some((number, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse() else { continue };
            match what {
                "passed" => counts.passed = number,
                "failed" => counts.failed = number,
                "ignored" => counts.skipped = number,
                _ => {}
            }
        }
        Some(counts)
    }

    /// Adds those of another run.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_is_read_and_others_are_not() {
        let line = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.31s";
        let counts = Counts::of_line(line).unwrap();
        assert_eq!(
            counts,
            Counts {
                passed: 12,
                failed: 2,
                skipped: 1
            }
        );
        assert_eq!(counts.to_string(), "12 passed, 2 failed, 1 skipped");
        assert_eq!(Counts::of_line("test a_result ... ok"), None);
    }
}
