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
    Caller::consistent(session, &person, origin, OffsetDateTime::UNIX_EPOCH)
}

#[test]
fn consistent_rows_are_a_caller() {
    let caller = changed(|session, _| session.role = Some("clinician".to_owned())).unwrap();
    assert_eq!(caller.role(), Role::Clinician);
    assert_eq!(caller.session(), session(caller.organization()).id);
    let since = |session: &mut SessionClaims, person: &mut PersonClaims| {
        person.sessions_since = Some(session.authenticated_at);
    };
    assert!(changed(since).is_ok());
}

#[test]
fn inconsistent_rows_are_refused() {
    let changes: [(CallerError, Change); 8] = [
        (CallerError::OtherOrganization, |session, _| {
            session.organization = OrganizationId::random();
        }),
        (CallerError::OtherPerson, |_, person| {
            person.id = Uuid::nil();
        }),
        (CallerError::Inactive, |_, person| person.active = false),
        (CallerError::Ended, |session, person| {
            person.sessions_since = Some(session.authenticated_at + time::Duration::MICROSECOND);
        }),
        (CallerError::UnknownRole, |_, person| {
            person.role = "root".to_owned();
        }),
        (CallerError::RoleChanged, |session, _| {
            session.role = Some("privacy_officer".to_owned());
        }),
        (CallerError::ChartMissing, |_, person| {
            person.role = "patient".to_owned();
        }),
        (CallerError::ScopesMissing, |_, person| {
            person.role = "service".to_owned();
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
fn a_caller_reaches_charts_only_by_evidence_of_its_own() {
    let patient = PatientId::random();
    let caller = caller(Role::Clinician);
    let own = (caller.organization(), caller.person());
    let charts = |of| ChartAccess::limited(of, [patient], Vec::new());
    let of_other = charts((own.0, Uuid::nil()));
    let caller = Caller {
        charts: None,
        ..caller
    };
    assert!(!caller.reaches_chart(patient));
    let refused = |charts| changed(|_, _| ()).unwrap().with_charts(charts).unwrap_err();
    assert_eq!(refused(of_other), CallerError::OtherOrganization);
    let caller = caller.with_charts(charts(own)).unwrap();
    assert!(caller.reaches_chart(patient) && !caller.reaches_chart(PatientId::random()));
    let other_person = charts((own.0, Uuid::nil()));
    assert_eq!(
        caller.with_charts(other_person).unwrap_err(),
        CallerError::OtherPerson
    );
}

#[test]
fn an_emergency_access_reaches_its_patient_until_its_end() {
    let (patient, colleague) = (PatientId::random(), PatientId::random());
    let caller = caller(Role::Clinician);
    let own = (caller.organization(), caller.person());
    let at = |minutes| OffsetDateTime::UNIX_EPOCH + time::Duration::minutes(minutes);
    let emergency = EmergencyClaims {
        organization: own.0,
        person: own.1,
        patient,
        until: at(60),
    };
    let charts = ChartAccess::limited(own, [colleague], vec![emergency]);
    assert!(charts.includes(patient, at(59)) && !charts.includes(patient, at(60)));
    assert_eq!(charts.emergency(patient, at(1)), Some(&emergency));
    assert_eq!(charts.emergency(colleague, at(1)), None);
    assert!(charts.includes(colleague, at(60)));
}
