//! The patients that match a search.

use askama::Template;

use super::layout::Frame;
use super::numbers;
use super::patient_table::{Heading, PatientRow};

/// What a search found. The query came in a body and goes back only into the box.
#[derive(Template)]
#[template(path = "search.html")]
pub(crate) struct SearchPage {
    pub(crate) frame: Frame,
    pub(crate) caption: &'static str,
    pub(crate) headings: Vec<Heading>,
    pub(crate) patients: Vec<PatientRow>,
    /// How many match, shown or not.
    pub(crate) matches: usize,
    /// The number of rows shown, where more match.
    pub(crate) cut_at: Option<usize>,
    /// What the query was taken for, in words.
    pub(crate) understood: String,
    /// What was asked, for the box.
    pub(crate) query: String,
}

impl SearchPage {
    fn outcome(&self) -> String {
        match self.matches {
            0 => "No patient matches".to_owned(),
            1 => "1 patient matches".to_owned(),
            many => format!("{} patients match", numbers::grouped(many)),
        }
    }
}
