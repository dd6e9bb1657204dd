//! A transaction: every write or none.

use super::Failure;
use super::rights::Rights;
use crate::caller::Caller;
use crate::fhir::bundle::{Answer, Write};
use crate::fhir::{Issue, IssueCode, Kind, Outcome, Target};
use crate::problem::Problem;
use crate::records::{Applied, ApplyError, Change, Effect};
use crate::state::App;
use http::StatusCode;

/// Which entry of the Bundle a change is, and what it writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// The entry's index.
    pub(super) entry: usize,
    /// What it writes.
    pub(super) target: Target,
}

/// Does all writes of a transaction; the answers are in the Bundle's order.
///
/// # Errors
///
/// Whatever is wrong with one of them; then none was done.
pub(super) async fn together(
    app: &App,
    caller: &Caller,
    writes: Vec<Write>,
) -> Result<Vec<Answer>, Failure> {
    let mut rights = Rights::of(app, caller);
    let mut origins = Vec::with_capacity(writes.len());
    let mut changes = Vec::with_capacity(writes.len());
    for write in writes {
        let permitted = rights.write(write.kind).await?;
        let (origin, change) = change(write, permitted);
        origins.push(origin);
        changes.push(change);
    }
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let applied = app.records.apply(caller, &changes).await;
    let applied = applied.map_err(|error| match blame(error, &origins) {
        Ok((_, outcome)) => Failure::Refused(outcome),
        Err(problem) => Failure::Failed(problem),
    })?;
    let mut answers: Vec<_> = origins.iter().zip(applied).collect();
    answers.sort_by_key(|(origin, _)| origin.entry);
    Ok(answers
        .into_iter()
        .map(|(origin, applied)| written(*origin, applied))
        .collect())
}

/// A write as the record service takes it.
pub(super) fn change(
    write: Write,
    permitted: crate::access::Permitted<crate::access::WriteRecord>,
) -> (Origin, Change) {
    let Write {
        entry,
        kind,
        id,
        owner,
        resource,
        create,
    } = write;
    let origin = Origin {
        entry,
        target: Target { kind, id },
    };
    (
        origin,
        Change {
            permitted,
            id,
            owner,
            resource,
            create,
        },
    )
}

/// The answer to a change that was made.
pub(super) fn written(origin: Origin, applied: Applied) -> Answer {
    let created = applied.effect == Effect::Created;
    Answer::Written {
        target: origin.target,
        stamp: applied.stamp,
        created,
    }
}

/// Which change is to blame, and what its entry is told; or the problem, if none is.
pub(super) fn blame(error: ApplyError, origins: &[Origin]) -> Result<(usize, Outcome), Problem> {
    let (index, status, code, why) = match error {
        ApplyError::UnknownOwner(index) => (
            index,
            StatusCode::UNPROCESSABLE_ENTITY,
            IssueCode::BusinessRule,
            "the patient that it belongs to is not there",
        ),
        ApplyError::OwnerChanged(index) => (
            index,
            StatusCode::CONFLICT,
            IssueCode::Conflict,
            "it belongs to another patient, and whom a resource belongs to never changes",
        ),
        ApplyError::AlreadyThere(index) => (
            index,
            StatusCode::CONFLICT,
            IssueCode::Duplicate,
            "its id is taken",
        ),
        ApplyError::RecordNumberTaken(index) => (
            index,
            StatusCode::CONFLICT,
            IssueCode::Duplicate,
            "its medical record number belongs to another patient",
        ),
        ApplyError::Problem(problem) => return Err(problem),
    };
    let origin = origins.get(index).ok_or(Problem::Internal)?;
    let place = place(error, *origin);
    Ok((
        index,
        Outcome::new(status, Issue::new(code, why).at(&place)),
    ))
}

/// The element that is at fault.
fn place(error: ApplyError, origin: Origin) -> String {
    let resource = format!(
        "{}.resource",
        crate::fhir::bundle::entry_place(origin.entry)
    );
    let Target { kind, .. } = origin.target;
    match (error, kind.owner_element()) {
        (ApplyError::UnknownOwner(_) | ApplyError::OwnerChanged(_), Some(element)) => {
            format!("{resource}.{element}.reference")
        }
        (ApplyError::RecordNumberTaken(_), _) if kind == Kind::Patient => {
            format!("{resource}.identifier")
        }
        (
            ApplyError::UnknownOwner(_)
            | ApplyError::OwnerChanged(_)
            | ApplyError::AlreadyThere(_)
            | ApplyError::RecordNumberTaken(_)
            | ApplyError::Problem(_),
            _,
        ) => format!("{resource}.id"),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_refusal_names_the_entry_and_the_element_to_blame() {
        let origin = |entry, kind| Origin {
            entry,
            target: Target {
                kind,
                id: Uuid::from_u128(7),
            },
        };
        let origins = [origin(4, Kind::Patient), origin(0, Kind::Immunization)];
        let told = |error| {
            let (index, outcome) = blame(error, &origins).expect("an entry's fault");
            (
                index,
                outcome.status().as_u16(),
                outcome.issues()[0].place.clone().unwrap(),
            )
        };
        let expected = (
            1,
            422,
            "Bundle.entry[0].resource.patient.reference".to_owned(),
        );
        assert_eq!(told(ApplyError::UnknownOwner(1)), expected);
        let expected = (0, 409, "Bundle.entry[4].resource.identifier".to_owned());
        assert_eq!(told(ApplyError::RecordNumberTaken(0)), expected);
        let away = ApplyError::Problem(Problem::Unavailable(5));
        assert_eq!(blame(away, &origins), Err(Problem::Unavailable(5)));
    }
}
