//! What is wrong with a template, and where.

/// A template that cannot be assembled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Fault {
    place: String,
    what: String,
}

impl Fault {
    /// Something wrong, at a place still to be told.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            place: String::new(),
            what: what.into(),
        }
    }

    /// The same, one step further out.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        self.place = if self.place.is_empty() {
            outer.to_owned()
        } else {
            format!("{outer}/{}", self.place)
        };
        self
    }
}

/// Adds the place to an error.
pub(crate) trait Within {
    /// See [`Fault::within`].
    fn within(self, outer: &str) -> Self;
}

impl<T> Within for Result<T, Fault> {
    fn within(self, outer: &str) -> Self {
        self.map_err(|fault| fault.within(outer))
    }
}
