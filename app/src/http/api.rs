//! `/api/v1`: the workflow around the clinical records, in JSON. One endpoint per file.

pub(crate) mod audit;
pub(crate) mod openapi;
pub(crate) mod people;
pub(crate) mod session;
pub(crate) mod tokens;
