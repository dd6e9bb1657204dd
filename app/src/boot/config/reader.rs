//! Reading and parsing of environment variables, with errors that name the expected value.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

/// A variable that is missing or invalid.
#[derive(Debug, thiserror::Error)]
#[error("{variable} {fault}: {remedy}")]
pub(crate) struct ConfigError {
    variable: &'static str,
    fault: &'static str,
    remedy: String,
}

/// The prefixes of this program's variables. A variable without one of them is ignored.
const PREFIXES: [&str; 5] = ["APP_", "DATABASE_", "KEY_", "KMS_", "SESSION_"];

/// The environment, as it was when the process started.
#[derive(Debug)]
pub(crate) struct Reader {
    variables: HashMap<String, String>,
    /// The names that were read so far, set or unset.
    read: RefCell<BTreeSet<&'static str>>,
}

impl Reader {
    /// The environment of this process.
    pub(crate) fn environment() -> Self {
        Self::new(std::env::vars().collect())
    }

    fn new(variables: HashMap<String, String>) -> Self {
        Self {
            variables,
            read: RefCell::default(),
        }
    }

    /// The variables with one of this program's prefixes that were not read.
    pub(crate) fn unknown(&self) -> Vec<String> {
        let read = self.read.borrow();
        let mut unknown: Vec<String> = self
            .variables
            .keys()
            .filter(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
            .filter(|name| !read.contains(name.as_str()))
            .cloned()
            .collect();
        unknown.sort();
        unknown
    }

    /// A variable's value, unless it is unset or empty.
    pub(crate) fn optional(&self, variable: &'static str) -> Option<String> {
        self.read.borrow_mut().insert(variable);
        self.variables
            .get(variable)
            .filter(|value| !value.is_empty())
            .cloned()
    }

    pub(super) fn text(
        &self,
        variable: &'static str,
        expected: &str,
    ) -> Result<String, ConfigError> {
        self.optional(variable).ok_or_else(|| ConfigError {
            variable,
            fault: "is not set",
            remedy: format!("set it to {expected}"),
        })
    }

    pub(super) fn text_or(&self, variable: &'static str, default: &str) -> String {
        self.optional(variable)
            .unwrap_or_else(|| default.to_owned())
    }

    pub(super) fn parsed<T: FromStr>(
        &self,
        variable: &'static str,
        expected: &str,
    ) -> Result<T, ConfigError> {
        parse(variable, &self.text(variable, expected)?, expected)
    }

    pub(super) fn parsed_or<T: FromStr + Display>(
        &self,
        variable: &'static str,
        default: T,
        expected: &str,
    ) -> Result<T, ConfigError> {
        match self.optional(variable) {
            Some(value) => parse(variable, &value, expected),
            None => Ok(default),
        }
    }

    /// A whole number of seconds within `range`.
    pub(super) fn seconds(
        &self,
        variable: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<Duration, ConfigError> {
        let expected = format!(
            "a number of seconds from {} to {}",
            range.start(),
            range.end()
        );
        let seconds = self.parsed_or(variable, default, &expected)?;
        if range.contains(&seconds) {
            Ok(Duration::from_secs(seconds))
        } else {
            Err(invalid(variable, &expected))
        }
    }

    /// The path of a readable file.
    pub(super) fn file(
        &self,
        variable: &'static str,
        expected: &str,
    ) -> Result<PathBuf, ConfigError> {
        let path = PathBuf::from(self.text(variable, &format!("the path of {expected}"))?);
        match std::fs::File::open(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(ConfigError {
                variable,
                fault: "names a file that cannot be read",
                remedy: format!(
                    "set it to the path of {expected} ({}: {error})",
                    path.display()
                ),
            }),
        }
    }

    /// The path of a readable file, if the variable is set.
    pub(super) fn optional_file(
        &self,
        variable: &'static str,
        expected: &str,
    ) -> Result<Option<PathBuf>, ConfigError> {
        self.optional(variable)
            .map(|_set| self.file(variable, expected))
            .transpose()
    }

    /// The secret in the file that `variable` names, without the final line break.
    pub(super) fn optional_secret(
        &self,
        variable: &'static str,
    ) -> Result<Option<SecretString>, ConfigError> {
        let Some(path) = self.optional_file(variable, "a file with the secret")? else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|_error| invalid(variable, "the path of a text file with the secret"))?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned().into()))
    }
}

fn parse<T: FromStr>(
    variable: &'static str,
    value: &str,
    expected: &str,
) -> Result<T, ConfigError> {
    value
        .parse()
        .map_err(|_unparsable| invalid(variable, expected))
}

/// The error for an invalid value. It does not repeat the value, which may be a misplaced secret.
pub(super) fn invalid(variable: &'static str, expected: &str) -> ConfigError {
    ConfigError {
        variable,
        fault: "has an invalid value",
        remedy: format!("set it to {expected}"),
    }
}

#[cfg(test)]
impl Reader {
    /// An environment with these variables alone.
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self::new(variables.iter().map(owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named_with_what_was_expected() {
        let error = Reader::of(&[])
            .text("APP_LISTEN", "an address and a port")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "APP_LISTEN is not set: set it to an address and a port"
        );
    }

    #[test]
    fn a_number_out_of_range_is_refused_and_not_repeated() {
        let reader = Reader::of(&[("KEY_CACHE_SECONDS", "301")]);
        let error = reader
            .seconds("KEY_CACHE_SECONDS", 300, 1..=300)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("from 1 to 300") && !error.contains("301"),
            "{error}"
        );
    }

    #[test]
    fn a_misspelt_variable_is_noticed_and_one_of_another_program_is_not() {
        let reader = Reader::of(&[
            ("APP_LISTEN", ""),
            ("APP_LISTENS", "127.0.0.1:9443"),
            ("PATH", "/bin"),
        ]);
        reader.optional("APP_LISTEN");
        assert_eq!(reader.unknown(), ["APP_LISTENS"]);
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        assert_eq!(Reader::of(&[("LOG", "")]).text_or("LOG", "info"), "info");
    }
}
