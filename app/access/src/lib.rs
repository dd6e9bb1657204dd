#![doc = include_str!("../README.md")]

mod action;
mod caller;
mod disclose;
mod event;
mod evidence;
mod ids;
mod not_phi;
mod permit;
mod policy;
mod refusals;
mod role;
mod subject;
#[cfg(test)]
mod testing;
mod trail;
mod write;

pub use action::{Action, Disclosing, List, Read, Search, Write};
pub use caller::{Caller, RequestOrigin};
pub use disclose::{Disclosed, Unsuccessful, disclose, disclose_partial, record_unsuccessful};
pub use event::CallerEvent;
pub use evidence::{
    CallerError, CareTeamClaims, CareTeamEvidence, Credential, CredentialKind, PersonClaims,
    PersonEvidence, SessionClaims, SessionEvidence,
};
pub use not_phi::{NotPhi, NotPhiData};
pub use permit::{Denial, PermitError, Permitted, admit, permit};
pub use policy::{AssuranceLevel, DataClass, Fields, Operation, Permission, Reach, authorize};
pub use refusals::{RefusalBudget, Windows, flush_refusals};
pub use role::{Role, UnknownRole};
pub use subject::{Record, Subject};
pub use trail::{Trail, sign_out_event};
pub use write::{AuditReceipt, WriteRecord, record_refused_write, record_write};
