//! The pages for people, rendered here and useful without script.
//!
//! One file per page: it permits, acts and renders. What surrounds a page is in [`layout`], what
//! makes it an answer (status, `Content-Security-Policy`, `no-store`) in [`html`]. Text that tells
//! who a patient is never enters a URL, nor a title: browsers write both to their history on disk.

pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod chart;
mod dates;
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
mod gallery;

pub(crate) use problem::problem;
