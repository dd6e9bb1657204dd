//! The patient list.

use askama::Template;

use super::layout::Frame;
use super::numbers::filters;
use super::paging::Paging;
use super::patient_table::{Heading, PatientRow};

/// The organization's patients, one page of them.
#[derive(Template)]
#[template(path = "patients.html")]
pub(crate) struct PatientsPage {
    pub(crate) frame: Frame,
    pub(crate) organization: String,
    pub(crate) caption: &'static str,
    pub(crate) headings: Vec<Heading>,
    pub(crate) patients: Vec<PatientRow>,
    pub(crate) paging: Paging,
    /// Always empty here; the search box is shared with the results.
    pub(crate) query: &'static str,
}
