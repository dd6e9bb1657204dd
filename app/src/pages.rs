//! The pages for people, rendered here and useful without script.
//!
//! One file per page: it permits, acts and renders. What surrounds a page is in [`layout`], what
//! makes it an answer (status, `Content-Security-Policy`, `no-store`) in [`html`]. Text that tells
//! who a patient is never enters a URL, nor a title: browsers write both to their history on disk.

mod assets;
mod audit;
mod chart;
mod dates;
mod html;
mod kind;
mod layout;
mod numbers;
mod paging;
mod patient_table;
mod patients;
mod people;
pub(crate) mod problem;
mod search;
mod sign_in;
mod timeline;

#[cfg(test)]
mod gallery;
