//! The people of an organization, for its security administrator.

use askama::Template;

use super::layout::Frame;

/// Who may sign in.
#[derive(Template)]
#[template(path = "people.html")]
pub(crate) struct PeoplePage {
    pub(crate) frame: Frame,
    pub(crate) organization: String,
    pub(crate) people: Vec<PersonRow>,
}

/// One person.
#[derive(Debug, Clone)]
pub(crate) struct PersonRow {
    /// Their name.
    pub(crate) name: String,
    /// The e-mail address they sign in with.
    pub(crate) email: String,
    /// Their role in words.
    pub(crate) role: String,
    /// Their organization's name.
    pub(crate) organization: String,
}
