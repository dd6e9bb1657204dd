//! Lookup and parsing of environment variables.

use std::str::FromStr;

use rustls::pki_types::ServerName;

/// A variable that cannot be used, with the expected value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}: expected {expected}")]
pub(crate) struct ConfigError {
    pub(super) variable: &'static str,
    pub(super) problem: &'static str,
    pub(super) expected: &'static str,
}

/// The environment variables, behind a lookup function.
pub(super) struct Variables<F>(pub(super) F);

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    pub(super) fn optional<T: FromStr>(
        &self,
        variable: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = (self.0)(variable).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let parsed = text.parse();
        parsed.map(Some).map_err(|_expected_says_more| ConfigError {
            variable,
            problem: "cannot be used",
            expected,
        })
    }

    pub(super) fn required<T: FromStr>(
        &self,
        variable: &'static str,
        expected: &'static str,
    ) -> Result<T, ConfigError> {
        let missing = ConfigError {
            variable,
            problem: "is not set",
            expected,
        };
        self.optional(variable, expected)?.ok_or(missing)
    }

    pub(super) fn or<T: FromStr>(
        &self,
        variable: &'static str,
        expected: &'static str,
        otherwise: T,
    ) -> Result<T, ConfigError> {
        Ok(self.optional(variable, expected)?.unwrap_or(otherwise))
    }
}

/// A host name that a certificate can carry.
pub(super) struct Name(pub(super) ServerName<'static>);

impl FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        ServerName::try_from(text.to_owned())
            .map(Self)
            .map_err(drop)
    }
}
