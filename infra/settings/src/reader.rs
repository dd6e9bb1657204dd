//! The environment, and the reading of single variables.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use crate::Error;
use crate::Errors;

/// Evidence that an error was recorded: only a [`Reader`] makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported(());

/// The environment variables of a process. Records which of them were read, and every error.
#[derive(Debug)]
pub struct Reader {
    prefixes: &'static [&'static str],
    variables: BTreeMap<OsString, OsString>,
    /// The variables that the program reads, set or not.
    known: RefCell<BTreeSet<&'static str>>,
    errors: RefCell<Vec<Error>>,
}

impl Reader {
    /// The environment of this process. `prefixes` are the beginnings of the names of the program's own
    /// variables, like `WEB_`.
    #[must_use]
    pub fn from_environment(prefixes: &'static [&'static str]) -> Self {
        Self::new(prefixes, env::vars_os())
    }

    /// The given variables, instead of the environment.
    pub fn new(
        prefixes: &'static [&'static str],
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        Self {
            prefixes,
            variables: variables.into_iter().collect(),
            known: RefCell::default(),
            errors: RefCell::default(),
        }
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// All errors, and the unknown variables if there are other errors.
    pub fn read<T>(
        &self,
        configuration: impl FnOnce(&Self) -> Result<T, Reported>,
    ) -> Result<T, Errors> {
        let read = configuration(self);
        let mut errors = self.errors.take();
        match read {
            Ok(configuration) if errors.is_empty() => Ok(configuration),
            _ => {
                errors.extend(self.unknown());
                Err(Errors(errors))
            }
        }
    }

    /// Reads a configuration, and refuses unknown variables.
    ///
    /// # Errors
    /// All errors, and the unknown variables.
    pub fn check<T>(
        &self,
        configuration: impl FnOnce(&Self) -> Result<T, Reported>,
    ) -> Result<T, Errors> {
        let configuration = self.read(configuration)?;
        let unknown: Vec<Error> = self.unknown().collect();
        if unknown.is_empty() {
            Ok(configuration)
        } else {
            Err(Errors(unknown))
        }
    }

    /// A variable, if it is set.
    ///
    /// # Errors
    /// If the value cannot be parsed.
    pub fn optional<T: FromStr>(
        &self,
        variable: &'static str,
        expected: &str,
    ) -> Result<Option<T>, Reported> {
        self.declare(&[variable]);
        let value = self.variables.get(OsStr::new(variable));
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let parsed = value.to_str().and_then(|text| text.parse().ok());
        parsed
            .map(Some)
            .ok_or_else(|| self.reject(variable, "has a wrong value", expected))
    }

    /// A variable that must be set.
    ///
    /// # Errors
    /// If it is not set, or the value cannot be parsed.
    pub fn required<T: FromStr>(
        &self,
        variable: &'static str,
        expected: &str,
    ) -> Result<T, Reported> {
        self.optional(variable, expected)?
            .ok_or_else(|| self.reject(variable, "is not set", expected))
    }

    /// A variable, or a default if it is not set.
    ///
    /// # Errors
    /// If the value cannot be parsed.
    pub fn or<T: FromStr>(
        &self,
        variable: &'static str,
        expected: &str,
        default: T,
    ) -> Result<T, Reported> {
        Ok(self.optional(variable, expected)?.unwrap_or(default))
    }

    /// A number of seconds within `range`, or a default if it is not set.
    ///
    /// # Errors
    /// If the value is not a number within `range`.
    pub fn seconds(
        &self,
        variable: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<Duration, Reported> {
        let (least, most) = (range.start(), range.end());
        let expected = format!("a number of seconds from {least} to {most}");
        let seconds = self.or(variable, &expected, default)?;
        if range.contains(&seconds) {
            Ok(Duration::from_secs(seconds))
        } else {
            Err(self.reject(variable, "has a wrong value", &expected))
        }
    }

    /// The path of a file that must be readable now. `expected` is what the file holds.
    ///
    /// # Errors
    /// If the variable is not set, or the file cannot be read.
    pub fn file(&self, variable: &'static str, expected: &str) -> Result<PathBuf, Reported> {
        self.optional_file(variable, expected)?
            .ok_or_else(|| self.reject(variable, "is not set", &format!("the path of {expected}")))
    }

    /// The path of a file that must be readable now, if it is set.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn optional_file(
        &self,
        variable: &'static str,
        expected: &str,
    ) -> Result<Option<PathBuf>, Reported> {
        let expected = format!("the path of {expected}");
        let Some(path) = self.optional::<PathBuf>(variable, &expected)? else {
            return Ok(None);
        };
        // Opened and closed again: permissions are the usual mistake, and only opening shows them.
        match open(&path) {
            Ok(()) => Ok(Some(path)),
            Err(error) => {
                let problem = format!("names a file that cannot be read ({error})");
                Err(self.reject(variable, &problem, &expected))
            }
        }
    }

    /// The secret in the file that the variable names, without the end of its line.
    ///
    /// # Errors
    /// If the file cannot be read, or is not text.
    pub fn secret_file(&self, variable: &'static str) -> Result<Option<SecretString>, Reported> {
        const EXPECTED: &str = "a text file that holds the secret";
        let Some(path) = self.optional_file(variable, EXPECTED)? else {
            return Ok(None);
        };
        let text = fs::read_to_string(path).map_err(|error| {
            let problem = format!("names a file that cannot be read ({error})");
            self.reject(variable, &problem, &format!("the path of {EXPECTED}"))
        })?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).into()))
    }

    /// Records an error that the type of a value cannot express.
    ///
    /// `problem` is the predicate of a sentence about the variable.
    pub fn reject(&self, variable: &'static str, problem: &str, expected: &str) -> Reported {
        self.errors.borrow_mut().push(Error::Variable {
            variable,
            problem: problem.to_owned(),
            expected: expected.to_owned(),
        });
        Reported(())
    }

    /// Makes variables known without reading them, where another variable decides which are read.
    pub fn declare(&self, variables: &[&'static str]) {
        self.known.borrow_mut().extend(variables);
    }

    /// The variables with a prefix of the program that the program does not read.
    fn unknown(&self) -> impl Iterator<Item = Error> {
        let known = self.known.borrow();
        let names = self.variables.keys().map(|name| name.to_string_lossy());
        let unknown: Vec<Error> = names
            .filter(|name| self.prefixes.iter().any(|prefix| name.starts_with(prefix)))
            .filter(|name| !known.contains(name.as_ref()))
            .map(|name| Error::Unknown(name.into_owned()))
            .collect();
        unknown.into_iter()
    }
}

/// Opens a regular file and closes it again. What is no file is not opened: opening a FIFO blocks.
fn open(path: &Path) -> io::Result<()> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    fs::File::open(path).map(drop)
}

#[cfg(test)]
mod tests;
