//! The pages, rendered on the server. They work without script, except for passkeys: one script warns of the
//! automatic logoff, one runs the ceremonies of passkeys.
//!
//! One file per page: its handler obtains a permit, acts and renders. [`layout`] has what surrounds a
//! page, [`html`] the response (status, `Content-Security-Policy`, `no-store`). URLs and titles never
//! contain text that identifies a patient: browsers store both in their history on disk.

pub(crate) mod administration;
pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod care_team;
pub(crate) mod chart;
mod chart_gaps;
pub(crate) mod clients;
mod dates;
pub(crate) mod developers;
pub(crate) mod emergency_access;
pub(crate) mod home;
mod html;
mod kept_form;
mod layout;
mod numbers;
pub(crate) mod organization;
mod paging;
mod passkey_form;
mod patient_table;
pub(crate) mod patients;
pub(crate) mod people;
mod problem;
pub(crate) mod reviews;
pub(crate) mod search;
pub(crate) mod second_factor;
pub(crate) mod security;
pub(crate) mod session;
pub(crate) mod set_up;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
pub(crate) mod signed_out;
pub(crate) mod step_up;
mod timeline;
mod wait;

#[cfg(test)]
mod render_tests;

pub(crate) use problem::problem;
pub(crate) use sign_in::keeping as sign_in_keeping;
