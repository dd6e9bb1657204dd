//! The permit: evidence that the policy allows a caller an action on a subject.

use std::marker::PhantomData;

use crate::Action;
use crate::AssuranceLevel;
use crate::Caller;
use crate::Fields;
use crate::Operation;
use crate::Permission;
use crate::Reach;
use crate::Record;
use crate::Subject;
use crate::Trail;
use crate::authorize;
use crate::ids::PatientId;
use crate::refusals::record_refusal;

/// Evidence that the policy allows `caller` the action `A` on a subject. Only [`permit`] constructs it.
///
/// The subject may have no patient, because the patient of a record is known only after its row is
/// read. Disclosures and writes therefore decide again about each record.
#[derive(Debug)]
#[must_use = "a permit is what allows an action"]
pub struct Permitted<'caller, A> {
    caller: &'caller Caller,
    subject: Subject,
    permission: Permission,
    action: PhantomData<fn() -> A>,
}

/// The reason for a refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denial {
    /// The role has no permission for the operation on this class.
    #[error("the role does not permit the action")]
    Role,
    /// The subject belongs to another organization.
    #[error("the subject belongs to another organization")]
    Organization,
    /// The permission does not reach the subject.
    #[error("the permission does not reach the subject")]
    Reach,
    /// The scopes of the caller's token do not cover the subject.
    #[error("the scopes of the token do not cover the subject")]
    Scope,
    /// A stronger authentication is required.
    #[error("a stronger authentication is required")]
    Assurance,
    /// The authentication is strong enough, and was too long ago.
    #[error("a recent authentication is required")]
    Recency,
    /// A record belongs to another patient than the permit's.
    #[error("the record belongs to another patient than the permit's")]
    Patient,
    /// A write has no permits, or permits of several callers.
    #[error("a write requires permits of one caller")]
    Permits,
}

/// The reason why an action is not allowed.
#[derive(Debug, thiserror::Error)]
pub enum PermitError<E> {
    /// The policy refuses the action. The refusal is recorded, or counted in the caller's budget.
    #[error("refused: {0}")]
    Refused(Denial),
    /// The event could not be recorded, so the action must not be done and nothing be disclosed.
    #[error("the audit trail is unavailable")]
    Trail(#[source] E),
}

/// Decides whether `caller` may do an action on `subject`; records a refusal.
///
/// # Errors
///
/// See [`PermitError`].
pub async fn permit<'caller, T: Trail, A: Action>(
    trail: &T,
    caller: &'caller Caller,
    _action: A,
    subject: Subject,
) -> Result<Permitted<'caller, A>, PermitError<T::Error>> {
    let decided = decide(caller, A::OPERATION, &subject)
        .and_then(|permission| in_scope(caller, &subject).map(|()| permission));
    match decided {
        Ok(permission) => Ok(Permitted {
            caller,
            subject,
            permission,
            action: PhantomData,
        }),
        Err(denial) => {
            let action = A::audited(subject.class);
            record_refusal(trail, caller, action, vec![subject.reference(None)])
                .await
                .map_err(PermitError::Trail)?;
            Err(PermitError::Refused(denial))
        }
    }
}

/// Decides whether `caller` may read or write any of `contents`, before the body of a request is read. A refusal is
/// recorded as a refusal of the action on `request`.
///
/// Permits nothing: each record of the request requires its own permit.
///
/// # Errors
///
/// See [`PermitError`].
pub async fn admit<T: Trail, A: Action>(
    trail: &T,
    caller: &Caller,
    _action: A,
    request: Subject,
    contents: impl IntoIterator<Item = Subject>,
) -> Result<(), PermitError<T::Error>> {
    // A Bundle can contain reads as well as writes.
    let operations = [Operation::Read, Operation::Write];
    let mut denial = Denial::Role;
    for subject in contents {
        for operation in operations {
            match decide(caller, operation, &subject) {
                Ok(_) => return Ok(()),
                Err(weak @ (Denial::Assurance | Denial::Recency)) => denial = weak,
                Err(_) => {}
            }
        }
    }
    let action = A::audited(request.class);
    record_refusal(trail, caller, action, vec![request.reference(None)])
        .await
        .map_err(PermitError::Trail)?;
    Err(PermitError::Refused(denial))
}

impl<'caller, A: Action> Permitted<'caller, A> {
    /// The caller of the permit.
    #[must_use]
    pub const fn caller(&self) -> &'caller Caller {
        self.caller
    }

    /// The subject.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The fields that may be disclosed or written. The service must remove the others.
    #[must_use]
    pub const fn fields(&self) -> Fields {
        self.permission.fields
    }

    /// The records that the permission reaches.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        self.permission.reach
    }

    /// Whether records of this patient may be disclosed or written under the permit, so that a service
    /// can omit the others before it opens them.
    #[must_use]
    pub fn includes(&self, patient: PatientId) -> bool {
        self.admits(&Record::from(self.subject.patient(patient)))
            .is_ok()
    }

    pub(crate) fn audited(&self) -> audit::Action {
        A::audited(self.subject.class)
    }

    /// Whether a disclosure of a record would be admitted, so that a result may leave out what is not. The disclosure
    /// decides again.
    #[must_use]
    pub fn may_disclose(&self, record: &Record) -> bool {
        self.admits(record).is_ok()
    }

    /// Decides about one record that is disclosed or written under the permit.
    ///
    /// A record of another class is admitted if the policy allows the same operation on it, or, if the action
    /// is a list, reading it: a chart contains records of several classes, and the audit trail names people.
    pub(crate) fn admits(&self, record: &Record) -> Result<(), Denial> {
        self.may_name(record)?;
        in_scope(self.caller, &record.subject)
    }

    /// Decides about one record that an event of the action names and that is not disclosed, such as the group whose members
    /// are exported: scopes limit what is disclosed.
    pub(crate) fn may_name(&self, record: &Record) -> Result<(), Denial> {
        let subject = &record.subject;
        if let (Some(permitted), Some(patient)) = (self.subject.patient, subject.patient)
            && permitted != patient
        {
            return Err(Denial::Patient);
        }
        let permission = match decide(self.caller, A::OPERATION, subject) {
            Err(Denial::Role) if A::OPERATION == Operation::List => {
                decide(self.caller, Operation::Read, subject)?
            }
            decided => decided?,
        };
        // A record without a patient is one of the organization, which no care team limits.
        let is_of_organization = permission.reach == Reach::CareTeam
            && subject.patient.is_none()
            && subject.id.is_some();
        if is_of_organization || reaches(self.caller, permission.reach, subject) == Some(true) {
            Ok(())
        } else {
            Err(Denial::Reach)
        }
    }
}

/// The policy's decision about a caller and a subject, which may have no patient and no id.
fn decide(caller: &Caller, operation: Operation, subject: &Subject) -> Result<Permission, Denial> {
    if subject.organization != caller.organization() {
        return Err(Denial::Organization);
    }
    let permission = authorize(caller.role(), operation, subject.class).ok_or(Denial::Role)?;
    let level = caller.assurance_level();
    if permission.assurance > level {
        return Err(match level {
            AssuranceLevel::SingleFactor => Denial::Assurance,
            AssuranceLevel::MultiFactor | AssuranceLevel::RecentMultiFactor => Denial::Recency,
        });
    }
    if reaches(caller, permission.reach, subject) == Some(false) {
        return Err(Denial::Reach);
    }
    Ok(permission)
}

/// Whether the scopes of the caller's token cover the subject.
fn in_scope(caller: &Caller, subject: &Subject) -> Result<(), Denial> {
    let scopes = caller.scopes();
    let is_covered = scopes.is_none_or(|scopes| scopes.covers(subject.kind));
    is_covered.then_some(()).ok_or(Denial::Scope)
}

/// Whether the reach includes the subject; none if the subject lacks the patient or id that decides.
fn reaches(caller: &Caller, reach: Reach, subject: &Subject) -> Option<bool> {
    match reach {
        Reach::Organization => Some(true),
        Reach::CareTeam => match (subject.patient, caller.charts()) {
            (_, None) => Some(false),
            (_, Some(charts)) if charts.is_whole_organization() => Some(true),
            (patient, Some(_)) => patient.map(|patient| caller.reaches_chart(patient)),
        },
        Reach::OwnChart => subject
            .patient
            .map(|patient| caller.own_chart() == Some(patient)),
        Reach::OwnAccount => subject.id.map(|id| id == caller.person()),
    }
}

#[cfg(test)]
mod tests;
