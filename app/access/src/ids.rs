//! The types of the crate `phi` that this crate is built on, imported in this one place.

pub(crate) use phi::OrganizationId;
pub(crate) use phi::PatientId;
pub(crate) use phi::Verified;
