//! The types of the crate `phi` that this crate uses.

pub(crate) use phi::OrganizationId;
pub(crate) use phi::PatientId;
pub(crate) use phi::Verified;
