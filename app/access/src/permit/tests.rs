//! Decisions of permits about subjects and records.

use audit::Assurance;
use audit::Outcome;

use super::*;
use crate::DataClass;
use crate::Export;
use crate::List;
use crate::Read;
use crate::Role;
use crate::Search;
use crate::Write;
use crate::ids::OrganizationId;
use crate::testing::MemoryTrail;
use crate::testing::caller;
use crate::testing::caller_with;
use crate::testing::client;
use crate::testing::subject;

fn clinical(caller: &Caller) -> Subject {
    Subject::of("Observation", DataClass::Clinical, caller.organization())
}

#[tokio::test]
async fn a_permit_has_its_caller_and_its_subject() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::Clinician);
    let subject = clinical(&caller).patient(PatientId::random());
    let permitted = permit(&trail, &caller, Read, subject).await.unwrap();
    assert!(std::ptr::eq(permitted.caller(), &raw const caller));
    assert_eq!(*permitted.subject(), subject);
    assert_eq!(permitted.reach(), Reach::CareTeam);
    assert!(trail.events().is_empty());
}

#[tokio::test]
async fn a_refusal_is_recorded_with_the_patient_before_it_returns() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::FrontDesk);
    let patient = PatientId::random();
    let subject = clinical(&caller).patient(patient);
    let refused = permit(&trail, &caller, Write, subject).await.unwrap_err();
    assert!(matches!(refused, PermitError::Refused(Denial::Role)));
    let events = trail.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].action, audit::Action::Write);
    assert_eq!(events[0].outcome, Outcome::Refused);
    assert_eq!(events[0].records[0].patient, Some(patient.uuid()));
    assert_eq!(events[0].session, Some(caller.session()));
    assert_eq!(events[0].organization, caller.organization().uuid());
}

#[tokio::test]
async fn without_a_trail_a_refusal_is_an_error_of_the_trail() {
    let trail = MemoryTrail::failing();
    let caller = caller(Role::FrontDesk);
    let refused = permit(&trail, &caller, Read, clinical(&caller)).await;
    assert!(matches!(refused, Err(PermitError::Trail(_))));
}

#[tokio::test]
async fn another_organization_is_refused_whatever_the_role() {
    let trail = MemoryTrail::default();
    for role in Role::ALL {
        let caller = caller(*role);
        for class in DataClass::ALL {
            let subject = Subject::of("any", *class, OrganizationId::random());
            let refused = permit(&trail, &caller, Read, subject).await.unwrap_err();
            assert!(matches!(
                refused,
                PermitError::Refused(Denial::Organization)
            ));
        }
    }
}

#[tokio::test]
async fn a_patient_reaches_the_own_chart_and_no_other() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::Patient);
    let own = clinical(&caller).patient(caller.own_chart().unwrap());
    let permitted = permit(&trail, &caller, Search, own).await.unwrap();
    assert!(permitted.includes(caller.own_chart().unwrap()));
    assert!(!permitted.includes(PatientId::random()));
    let other = clinical(&caller).patient(PatientId::random());
    let refused = permit(&trail, &caller, Read, other).await.unwrap_err();
    assert!(matches!(refused, PermitError::Refused(Denial::Reach)));
}

#[tokio::test]
async fn a_subject_without_a_patient_is_decided_again_for_each_record() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::Patient);
    let open = clinical(&caller);
    let permitted = permit(&trail, &caller, Read, open).await.unwrap();
    let own = open.patient(caller.own_chart().unwrap());
    assert_eq!(permitted.admits(&own.into()), Ok(()));
    let other = open.patient(PatientId::random());
    assert_eq!(permitted.admits(&other.into()), Err(Denial::Reach));
    assert_eq!(permitted.admits(&open.into()), Err(Denial::Reach));
}

#[tokio::test]
async fn a_permit_about_one_patient_admits_no_record_of_another() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::Clinician);
    let subject = clinical(&caller).patient(PatientId::random());
    let permitted = permit(&trail, &caller, Read, subject).await.unwrap();
    let other = subject.patient(PatientId::random());
    assert_eq!(permitted.admits(&other.into()), Err(Denial::Patient));
}

#[tokio::test]
async fn a_permit_for_demographics_admits_nothing_clinical() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::FrontDesk);
    let subject = subject(&caller, DataClass::Demographics);
    let permitted = permit(&trail, &caller, List, subject).await.unwrap();
    assert_eq!(permitted.admits(&subject.into()), Ok(()));
    assert_eq!(
        permitted.admits(&clinical(&caller).into()),
        Err(Denial::Role)
    );
}

#[tokio::test]
async fn a_list_admits_records_that_may_be_read_one_by_one() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::PrivacyOfficer);
    let people = subject(&caller, DataClass::People);
    let refused = permit(&trail, &caller, List, people).await.unwrap_err();
    assert!(matches!(refused, PermitError::Refused(Denial::Role)));
    let audit = subject(&caller, DataClass::Audit);
    let permitted = permit(&trail, &caller, List, audit).await.unwrap();
    assert_eq!(permitted.admits(&people.into()), Ok(()));
}

#[tokio::test]
async fn a_caller_reaches_the_own_account_only() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::Auditor);
    let account = subject(&caller, DataClass::Account);
    let own = account.id(caller.person());
    assert!(permit(&trail, &caller, Read, own).await.is_ok());
    let other = account.id(uuid::Uuid::nil());
    assert!(permit(&trail, &caller, Read, other).await.is_err());
}

#[tokio::test]
async fn operations_on_keys_require_two_factors() {
    let trail = MemoryTrail::default();
    let weak = caller_with(Role::SecurityAdmin, Assurance::Password);
    let refused = permit(&trail, &weak, Write, subject(&weak, DataClass::Keys)).await;
    assert!(matches!(
        refused,
        Err(PermitError::Refused(Denial::Assurance))
    ));
    assert_eq!(trail.events()[0].action, audit::Action::KeyOperation);
    assert!(!weak.may(Operation::Write, DataClass::Keys));
    let strong = caller_with(Role::SecurityAdmin, Assurance::Passkey);
    assert!(strong.may(Operation::Write, DataClass::Keys));
    let keys = subject(&strong, DataClass::Keys);
    assert!(permit(&trail, &strong, Write, keys).await.is_ok());
}

#[tokio::test]
async fn a_request_that_two_factors_would_admit_is_refused_for_want_of_them() {
    let trail = MemoryTrail::default();
    for (role, denial) in [
        (Role::Clinician, Denial::Assurance),
        (Role::Auditor, Denial::Role),
    ] {
        let caller = caller_with(role, Assurance::Password);
        let request = subject(&caller, DataClass::Clinical);
        let refused = admit(&trail, &caller, Write, request, [request]).await;
        assert!(
            matches!(refused, Err(PermitError::Refused(it)) if it == denial),
            "{role}"
        );
    }
}

#[tokio::test]
async fn a_request_is_admitted_if_the_caller_may_access_any_of_its_contents() {
    for (role, is_admitted) in [
        (Role::Clinician, true),
        (Role::FrontDesk, true),
        (Role::Patient, true),
        (Role::PrivacyOfficer, false),
        (Role::SecurityAdmin, false),
        (Role::Auditor, false),
    ] {
        let trail = MemoryTrail::default();
        let caller = caller(role);
        let request = Subject::of("Bundle", DataClass::Clinical, caller.organization());
        let contents = [
            DataClass::Demographics,
            DataClass::Clinical,
            DataClass::Directory,
        ];
        let contents = contents.map(|class| subject(&caller, class));
        let admitted = admit(&trail, &caller, Write, request, contents).await;
        assert_eq!(admitted.is_ok(), is_admitted, "{role}");
        let events = trail.events();
        assert_eq!(events.is_empty(), is_admitted, "{role}");
        if let Some(event) = events.first() {
            assert_eq!(event.outcome, Outcome::Refused);
            assert_eq!(event.records, [request.reference(None)]);
        }
    }
}

#[tokio::test]
async fn a_machine_client_exports_the_types_that_its_scopes_cover_and_no_others() {
    let trail = MemoryTrail::default();
    let caller = client("system/Patient.rs system/Coverage.rs");
    let of = |kind, class| Subject::of(kind, class, caller.organization());
    let export = of("export", DataClass::Clinical);
    let patient = of("Patient", DataClass::Demographics);
    let observation = of("Observation", DataClass::Clinical);
    for covered in [export, patient, of("Coverage", DataClass::Billing)] {
        assert!(permit(&trail, &caller, Export, covered).await.is_ok());
    }
    let refused = permit(&trail, &caller, Export, observation).await;
    assert!(matches!(refused, Err(PermitError::Refused(Denial::Scope))));
    assert_eq!(trail.events().len(), 1);
    // What a file has is decided record by record.
    let permitted = permit(&trail, &caller, Export, export).await.unwrap();
    assert_eq!(permitted.admits(&patient.into()), Ok(()));
    assert_eq!(permitted.admits(&observation.into()), Err(Denial::Scope));
    assert_eq!(permitted.may_name(&observation.into()), Ok(()));
    // A scope grants nothing beside the role.
    let read = permit(&trail, &caller, Read, patient).await;
    assert!(matches!(read, Err(PermitError::Refused(Denial::Role))));
}
