//! The actions of callers, as types.

use crate::DataClass;
use crate::Operation;

mod sealed {
    /// A supertrait that other crates cannot name.
    pub trait Sealed {}
}

/// An action that [`permit`](crate::permit) decides about. Sealed: only this crate defines actions.
pub trait Action: sealed::Sealed + Send + Sync {
    /// The operation of the policy.
    const OPERATION: Operation;

    /// The action's name in the audit trail, for a subject of this class.
    fn audited(class: DataClass) -> audit::Action;
}

/// An action that discloses records.
pub trait Disclosing: Action {}

/// Disclosing records one by one.
#[derive(Clone, Copy, Debug)]
pub struct Read;

/// Disclosing records as a list.
#[derive(Clone, Copy, Debug)]
pub struct List;

/// Disclosing records as a search result. The policy treats it as [`List`].
#[derive(Clone, Copy, Debug)]
pub struct Search;

/// Disclosing records in bulk, as files of an export.
#[derive(Clone, Copy, Debug)]
pub struct Export;

/// Creating and changing records.
#[derive(Clone, Copy, Debug)]
pub struct Write;

macro_rules! actions {
    ($($action:ident $operation:ident;)*) => {
        $(impl sealed::Sealed for $action {})*
        $(impl Action for $action {
            const OPERATION: Operation = Operation::$operation;

            fn audited(class: DataClass) -> audit::Action {
                match (Self::OPERATION, class) {
                    (Operation::Write, DataClass::Keys) => audit::Action::KeyOperation,
                    (Operation::Write, DataClass::People) => audit::Action::Provision,
                    (Operation::Write, DataClass::Account) => audit::Action::ChangeCredential,
                    (Operation::Write, DataClass::CareTeams) => audit::Action::ChangeCareTeam,
                    (Operation::Write, DataClass::EmergencyAccess) => audit::Action::BreakGlass,
                    (Operation::Write, DataClass::AccessReviews) => audit::Action::Review,
                    _ => audit::Action::$action,
                }
            }
        })*
    };
}

actions! {
    Read Read;
    List List;
    Search List;
    Export Export;
    Write Write;
}

impl Disclosing for Read {}
impl Disclosing for List {}
impl Disclosing for Search {}
impl Disclosing for Export {}
