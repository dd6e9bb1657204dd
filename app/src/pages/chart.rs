//! A patient's chart: who they are, and what was recorded.

use askama::Template;

use super::dates::Day;
use super::layout::Frame;
use super::numbers::filters;
use super::timeline::Timeline;

/// The chart.
#[derive(Template)]
#[template(path = "chart.html")]
pub(crate) struct ChartPage {
    pub(crate) frame: Frame,
    pub(crate) patient: PatientHeader,
    /// The clinical record, for a role that may see it.
    pub(crate) clinical: Option<Timeline>,
}

/// Who the patient is. There is no field for a whole social security number.
#[derive(Debug, Clone)]
pub(crate) struct PatientHeader {
    /// Family name.
    pub(crate) family: String,
    /// Given names.
    pub(crate) given: String,
    /// Birth date.
    pub(crate) born: Day,
    /// Age today or, for who has died, on that day.
    pub(crate) age: String,
    /// Day of death.
    pub(crate) died: Option<Day>,
    /// Administrative sex in words.
    pub(crate) sex: String,
    /// Medical record number.
    pub(crate) mrn: String,
    /// The last four digits of the social security number.
    pub(crate) ssn_last_four: Option<String>,
    /// Telephone number.
    pub(crate) phone: String,
    /// Address, line by line.
    pub(crate) address: Vec<String>,
}
