//! Errors in input files.

/// An error in a template or another input file, with its location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {message}")]
pub struct InputError {
    location: String,
    message: String,
}

impl InputError {
    /// An error without a location.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            location: String::new(),
            message: message.into(),
        }
    }

    /// Prepends a part of the location.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        self.location = if self.location.is_empty() {
            outer.to_owned()
        } else {
            format!("{outer}/{}", self.location)
        };
        self
    }
}

/// Adds a location to the error of a result.
pub(crate) trait Within {
    /// Prepends a part of the location: see [`InputError::within`].
    fn within(self, outer: &str) -> Self;
}

impl<T> Within for Result<T, InputError> {
    fn within(self, outer: &str) -> Self {
        self.map_err(|error| error.within(outer))
    }
}
