//! Evidence that an event was written, and what may be disclosed upon it.

use serde::Serialize;

/// Evidence that an audit event is durable.
#[derive(Debug)]
#[must_use = "a receipt is what allows a disclosure"]
pub(crate) struct Receipt(());

impl Receipt {
    /// Only for the modules that have just seen the commit.
    pub(super) fn of_committed() -> Self {
        Self(())
    }

    /// Marks a value as the one whose disclosure this receipt records.
    pub(crate) fn disclose<T>(self, value: T) -> Disclosed<T> {
        let Self(()) = self;
        Disclosed(value)
    }
}

/// PHI that may leave the process: its disclosure is on record.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Disclosed<T>(T);

impl<T> Disclosed<T> {
    /// The value, to be written into a response.
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::fmt::Debug for Disclosed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disclosed(..)")
    }
}
