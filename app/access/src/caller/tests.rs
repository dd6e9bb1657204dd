//! Callers from consistent and inconsistent claims.

use super::*;
use crate::testing::caller;
use crate::testing::person;
use crate::testing::session;

type Change = fn(&mut SessionClaims, &mut PersonClaims);

fn changed(change: Change) -> Result<Caller, CallerError> {
    let organization = OrganizationId::random();
    let mut session = session(organization);
    let mut person = person(organization, Role::Clinician);
    change(&mut session, &mut person);
    let origin = RequestOrigin {
        request: Uuid::nil(),
        source: None,
    };
    Caller::consistent(session, &person, origin)
}

#[test]
fn consistent_rows_are_a_caller() {
    let caller = changed(|session, _| session.role = Some("clinician".to_owned())).unwrap();
    assert_eq!(caller.role(), Role::Clinician);
    assert_eq!(caller.session(), session(caller.organization()).id);
}

#[test]
fn inconsistent_rows_are_refused() {
    let changes: [(CallerError, Change); 6] = [
        (CallerError::OtherOrganization, |session, _| {
            session.organization = OrganizationId::random();
        }),
        (CallerError::OtherPerson, |_, person| {
            person.id = Uuid::nil();
        }),
        (CallerError::Inactive, |_, person| person.active = false),
        (CallerError::UnknownRole, |_, person| {
            person.role = "root".to_owned();
        }),
        (CallerError::RoleChanged, |session, _| {
            session.role = Some("privacy_officer".to_owned());
        }),
        (CallerError::ChartMissing, |_, person| {
            person.role = "patient".to_owned();
        }),
    ];
    for (error, change) in changes {
        assert_eq!(changed(change).unwrap_err(), error);
    }
}

#[test]
fn a_caller_prints_neither_address_nor_credential() {
    let text = format!("{:?}", caller(Role::Clinician));
    assert!(!text.contains("192.0.2.7") && !text.contains("hash"));
}

#[test]
fn a_caller_cares_only_for_patients_whose_care_team_includes_it() {
    let patient = PatientId::random();
    let caller = caller(Role::Clinician);
    assert!(!caller.cares_for(patient));
    let caller = Caller {
        care_team: Some(Arc::new(HashSet::from([patient]))),
        ..caller
    };
    assert!(caller.cares_for(patient) && !caller.cares_for(PatientId::random()));
}
