//! Access, identity, records and the audit trail; no HTTP types.

pub(crate) mod access;
pub(crate) mod caller;
pub(crate) mod clock;
pub(crate) mod error;
pub(crate) mod gate;
pub(crate) mod identity;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod records;
pub(crate) mod roster;
pub(crate) mod sign_in;
