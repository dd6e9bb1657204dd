//! Errors of the server that are no state of the data: their numbers, and what each means to an operator.

use std::fmt;

use sqlx::mysql::MySqlDatabaseError;

/// An error of the server, without its message, because messages quote values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerError {
    /// The error number of MySQL and MariaDB.
    pub number: u16,
    /// The SQLSTATE, if the server sent a well-formed one.
    pub state: Option<[u8; 5]>,
}

impl ServerError {
    /// The number and the SQLSTATE of an error.
    pub(crate) fn of(error: &MySqlDatabaseError) -> Self {
        let state = error.code();
        let state = state.and_then(|state| state.as_bytes().try_into().ok());
        Self {
            number: error.number(),
            state: state.filter(|state: &[u8; 5]| state.iter().all(u8::is_ascii_alphanumeric)),
        }
    }

    /// What the error means here; `None` for a number that this crate does not expect at all.
    const fn meaning(self) -> Option<&'static str> {
        Some(match self.number {
            1044 | 1142 | 1143 | 1227 | 1370 => {
                "the account lacks a right: run `migrate` of this release, which grants it"
            }
            1045 | 1698 => "the server refused the account or its certificate",
            1049 => "the database does not exist",
            1054 | 1146 => {
                "a column or a table is missing: run `migrate` of this release, since the schema is older"
            }
            1048 | 1136 | 1364 => {
                "a row lacks a value that a column requires: the schema is of another release than this build"
            }
            1264 | 1292 | 1366 | 1406 => {
                "a value does not fit its column: the schema is of another release than this build, or a limit is missing"
            }
            1021 | 1114 => "the server's disk or a table is full",
            1030 | 1034 | 1712 | 1877 => "the server's storage failed: see its log",
            1064 | 1295 | 1305 => {
                "the server does not know the statement: its version is not supported"
            }
            1118 | 1153 | 1713 => "a row or a statement is larger than the server permits",
            1203 | 1226 | 1461 => {
                "the server permits the account no more connections or statements"
            }
            1317 | 1969 | 3024 => "the server interrupted the statement",
            _ => return None,
        })
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server error {}", self.number)?;
        if let Some(state) = self.state {
            write!(f, ", SQLSTATE {}", state.escape_ascii())?;
        }
        if let Some(meaning) = self.meaning() {
            write!(f, ": {meaning}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn error(number: u16, state: Option<[u8; 5]>) -> String {
        Error::Unexpected(Some(ServerError { number, state })).to_string()
    }

    #[test]
    fn an_operator_reads_number_state_and_meaning() {
        assert_eq!(
            error(1364, Some(*b"HY000")),
            "the database refused a statement (server error 1364, SQLSTATE HY000: a row lacks a value that a column \
             requires: the schema is of another release than this build)"
        );
        assert_eq!(
            error(1140, None),
            "the database refused a statement (server error 1140)"
        );
        let unknown = Error::Unexpected(None).to_string();
        assert_eq!(
            unknown,
            "a statement failed in the driver, without an error of the server"
        );
    }
}
