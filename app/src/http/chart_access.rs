//! What the pages and the API of access to charts share: permissions, problems and texts.

use access::Action;
use access::Caller;
use access::DataClass;
use access::Permitted;
use access::Read;
use access::Subject;
use access::Write;
use fhir::parse_id;
use phi::PatientId;

use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::limits::MAX_REASON_CHARS;
use crate::services::care_teams::CareTeamError;
use crate::services::care_teams::care_team_subject;
use crate::services::emergencies::EmergencyError;
use crate::services::emergencies::emergency_subject;
use crate::services::emergencies::review_subject;
use crate::services::error::ServiceError;

/// Authorizes a caller to see or change a patient's care team.
pub(crate) async fn permit_care_team<'caller, A: Action>(
    app: &AppState,
    caller: &'caller Caller,
    action: A,
    patient: PatientId,
) -> Result<Permitted<'caller, A>, ServiceError> {
    let subject = care_team_subject(caller.organization(), patient);
    app.gate.permit(caller, action, subject).await
}

/// Authorizes a caller to begin an emergency access to a patient's chart.
pub(crate) async fn permit_emergency<'caller>(
    app: &AppState,
    caller: &'caller Caller,
    patient: PatientId,
) -> Result<Permitted<'caller, Write>, ServiceError> {
    let subject = emergency_subject(caller.organization(), patient);
    app.gate.permit(caller, Write, subject).await
}

/// Authorizes a caller to see or review the emergency accesses of the organization.
pub(crate) async fn permit_reviews<'caller, A: Action>(
    app: &AppState,
    caller: &'caller Caller,
    action: A,
) -> Result<Permitted<'caller, A>, ServiceError> {
    let subject = review_subject(caller.organization());
    app.gate.permit(caller, action, subject).await
}

/// Authorizes a caller to see names and roles of colleagues.
pub(crate) async fn permit_colleagues<'caller>(
    app: &AppState,
    caller: &'caller Caller,
) -> Result<Permitted<'caller, Read>, ServiceError> {
    let subject = Subject::of("person", DataClass::People, caller.organization());
    app.gate.permit(caller, Read, subject).await
}

/// The patient of a path.
///
/// # Errors
///
/// [`Problem::NotFound`] for a malformed id.
pub(crate) fn patient_id(id: &str) -> Result<PatientId, Problem> {
    let id = parse_id(id).map_err(|_issue| Problem::NotFound)?;
    Ok(PatientId::from_uuid(id))
}

/// The reason for an emergency access, or the finding of its review, without white space around it.
///
/// # Errors
///
/// [`Problem::BadRequest`] for an empty or too long text.
pub(crate) fn statement(text: &str) -> Result<&str, Problem> {
    let text = text.trim();
    let is_plain = |it: char| !it.is_control() || it == '\n' || it == '\r';
    if text.is_empty() || text.chars().count() > MAX_REASON_CHARS || !text.chars().all(is_plain) {
        return Err(Problem::BadRequest(
            "State it in 1 to 500 characters of plain text.",
        ));
    }
    Ok(text)
}

/// The problem of a change of a care team.
pub(crate) fn care_team_problem(error: CareTeamError) -> Problem {
    match error {
        CareTeamError::NotAClinician => {
            Problem::BadRequest("Choose an active clinician of your organization.")
        }
        CareTeamError::Full => {
            Problem::BadRequest("The care team has 200 members: remove one first.")
        }
        CareTeamError::Service(error) => error.into(),
    }
}

/// The problem of an emergency access or its review.
pub(crate) fn emergency_problem(error: EmergencyError) -> Problem {
    match error {
        EmergencyError::AlreadyReached => {
            Problem::BadRequest("You can open this chart without emergency access.")
        }
        EmergencyError::TooMany => Problem::BadRequest(
            "You have 20 emergency accesses in force: wait until one ends, or ask to be added to the care team.",
        ),
        EmergencyError::AlreadyReviewed => {
            Problem::BadRequest("This emergency access was reviewed already.")
        }
        EmergencyError::OwnAccess => {
            Problem::BadRequest("This is your own emergency access: another person reviews it.")
        }
        EmergencyError::Service(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_plain_text_of_limited_length() {
        assert_eq!(
            statement(" Unconscious,\nno relatives ").unwrap(),
            "Unconscious,\nno relatives"
        );
        let (longest, longer) = ("\u{e4}".repeat(500), "\u{e4}".repeat(501));
        assert!(statement(&longest).is_ok());
        for refused in ["", "  ", "\u{7}", &longer] {
            assert!(statement(refused).is_err());
        }
    }
}
