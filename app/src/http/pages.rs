//! The pages, rendered on the server and without script.
//!
//! One file per page: its handler obtains a permit, acts and renders. [`layout`] has what surrounds a
//! page, [`html`] the response (status, `Content-Security-Policy`, `no-store`). URLs and titles never
//! contain text that identifies a patient: browsers store both in their history on disk.

pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod chart;
mod chart_gaps;
mod dates;
pub(crate) mod developers;
pub(crate) mod home;
mod html;
mod layout;
mod numbers;
mod paging;
mod patient_table;
pub(crate) mod patients;
pub(crate) mod people;
mod problem;
pub(crate) mod search;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
mod timeline;

#[cfg(test)]
mod render_tests;

pub(crate) use problem::problem;
