//! The errors of a configuration.

use std::fmt;
use std::process::ExitCode;

/// The exit status of a wrong configuration: `EX_USAGE` of `sysexits.h`. A restart does not help.
pub const EX_USAGE: u8 = 64;

/// A variable that cannot be used.
///
/// The value is not part of it: it may be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A required variable is missing, or a variable has a value that cannot be used.
    #[error("{variable} {problem}: expected {expected}")]
    Variable {
        /// The variable's name.
        variable: &'static str,
        /// What is wrong with it, as the predicate of a sentence.
        problem: String,
        /// The values that it may have.
        expected: String,
    },
    /// A variable with a prefix of the program, which the program does not read.
    #[error("{0} is not a variable of this program: is it misspelt?")]
    Unknown(String),
}

/// All errors of a configuration; displayed as one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Errors(pub(crate) Vec<Error>);

impl Errors {
    /// Prints the errors on standard error, each as a line of `program`.
    ///
    /// Returns the exit status [`EX_USAGE`].
    #[must_use]
    pub fn report(&self, program: &str) -> ExitCode {
        for error in &self.0 {
            eprintln!("{program}: {error}");
        }
        eprintln!("{program}: correct these environment variables, and start it again");
        ExitCode::from(EX_USAGE)
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{error}")?;
        }
        Ok(())
    }
}
