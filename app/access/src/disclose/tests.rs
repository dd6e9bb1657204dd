//! Disclosures and their events.

use super::*;
use crate::DataClass;
use crate::Denial;
use crate::Read;
use crate::Role;
use crate::Search;
use crate::ids::PatientId;
use crate::permit;
use crate::testing::MemoryTrail;
use crate::testing::caller;
use crate::testing::subject;

#[tokio::test]
async fn a_disclosure_is_on_record_before_it_returns() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::Clinician);
    let patient = PatientId::random();
    let subject = subject(&caller, DataClass::Clinical).patient(patient);
    let permitted = permit(&trail, &caller, Read, subject).await.unwrap();
    let record = Record {
        subject: subject.id(uuid::Uuid::from_u128(5)),
        version: Some(2),
    };
    let disclosed = disclose(&trail, &permitted, &[record], "value").await;
    let events = trail.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].action, Action::Read);
    assert_eq!(events[0].outcome, Outcome::Success);
    assert_eq!(events[0].purpose, audit::PurposeOfUse::Treatment);
    assert_eq!(events[0].records, [record.reference()]);
    assert_eq!(disclosed.unwrap().into_inner(), "value");
}

#[tokio::test]
async fn nothing_is_disclosed_when_the_trail_fails() {
    let trail = MemoryTrail::failing();
    let caller = caller(Role::Clinician);
    let subject = subject(&caller, DataClass::Clinical);
    let permitted = permit(&trail, &caller, Read, subject).await.unwrap();
    let disclosed = disclose(&trail, &permitted, &[subject.into()], "value").await;
    assert!(matches!(disclosed, Err(PermitError::Trail(_))));
}

#[tokio::test]
async fn a_record_out_of_reach_is_refused_and_the_refusal_recorded() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::Patient);
    let open = subject(&caller, DataClass::Clinical);
    let permitted = permit(&trail, &caller, Read, open).await.unwrap();
    let own = open.patient(caller.own_chart().unwrap());
    let other = open.patient(PatientId::random());
    let records = [own.into(), other.into()];
    let refused = disclose(&trail, &permitted, &records, "value").await;
    assert!(matches!(refused, Err(PermitError::Refused(Denial::Reach))));
    let events = trail.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].outcome, Outcome::Refused);
    assert_eq!(events[0].records, [other.reference(None)]);
}

#[tokio::test]
async fn a_search_without_matches_names_its_subject() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::FrontDesk);
    let subject = subject(&caller, DataClass::Demographics);
    let permitted = permit(&trail, &caller, Search, subject).await.unwrap();
    let empty: Vec<u8> = Vec::new();
    let disclosed = disclose(&trail, &permitted, &[], empty).await.unwrap();
    assert!(disclosed.into_inner().is_empty());
    assert_eq!(trail.events()[0].action, Action::Search);
    assert_eq!(trail.events()[0].records, [subject.reference(None)]);
}

#[tokio::test]
async fn a_count_names_its_subject_and_the_number_of_matches() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::FrontDesk);
    let subject = subject(&caller, DataClass::Demographics);
    let permitted = permit(&trail, &caller, Search, subject).await.unwrap();
    let damaged = [subject.id(uuid::Uuid::from_u128(7)).into()];
    for unopened in [&[][..], &damaged] {
        let counted = disclose_count(&trail, &permitted, 5_000, unopened, "5000").await;
        assert_eq!(counted.unwrap().into_inner(), "5000");
    }
    let counted = (Some(5_000), vec![subject.reference(None)]);
    let unopened = (None, vec![damaged[0].reference()]);
    let events: Vec<_> = trail
        .events()
        .into_iter()
        .map(|event| (event.outcome, (event.suppressed, event.records)))
        .collect();
    assert_eq!(
        events,
        [
            (Outcome::Success, counted.clone()),
            (Outcome::Failed, unopened),
            (Outcome::Partial, counted),
        ]
    );
}

#[tokio::test]
async fn neither_a_count_nor_an_absence_is_disclosed_beyond_the_reach() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::Patient);
    let all = subject(&caller, DataClass::Clinical);
    let permitted = permit(&trail, &caller, Search, all).await.unwrap();
    let absence = disclose(&trail, &permitted, &[], ()).await;
    assert!(matches!(absence, Err(PermitError::Refused(Denial::Reach))));
    let count = disclose_count(&trail, &permitted, 1, &[], ()).await;
    assert!(matches!(count, Err(PermitError::Refused(Denial::Reach))));
    let own = all.patient(caller.own_chart().unwrap());
    let permitted = permit(&trail, &caller, Search, own).await.unwrap();
    assert!(disclose(&trail, &permitted, &[], ()).await.is_ok());
}

#[tokio::test]
async fn unopened_and_missing_records_have_outcomes_of_their_own() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::Clinician);
    let subject = subject(&caller, DataClass::Clinical);
    let permitted = permit(&trail, &caller, Read, subject).await.unwrap();
    let records = [subject.into()];
    let partial = disclose_partial(&trail, &permitted, &records, &[], ()).await;
    partial.unwrap().into_inner();
    for outcome in [Unsuccessful::NotFound, Unsuccessful::Failed] {
        record_unsuccessful(&trail, &permitted, outcome)
            .await
            .unwrap();
    }
    let outcomes: Vec<_> = trail.events().iter().map(|event| event.outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::Partial, Outcome::NotFound, Outcome::Failed]
    );
}

#[tokio::test]
async fn records_that_could_not_be_opened_are_named_apart_from_those_disclosed() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::Clinician);
    let subject = subject(&caller, DataClass::Clinical).patient(PatientId::random());
    let permitted = permit(&trail, &caller, Read, subject).await.unwrap();
    let record = |id| Record::from(subject.id(uuid::Uuid::from_u128(id)));
    let (shown, damaged) = ([record(1)], [record(2), record(3)]);
    let partial = disclose_partial(&trail, &permitted, &shown, &damaged, "rest").await;
    assert_eq!(partial.unwrap().into_inner(), "rest");
    let events = trail.events();
    let named: Vec<_> = events
        .iter()
        .map(|event| (event.outcome, event.records.clone()))
        .collect();
    let references = |records: &[Record]| records.iter().map(Record::reference).collect();
    assert_eq!(
        named,
        [
            (Outcome::Failed, references(&damaged)),
            (Outcome::Partial, references(&shown)),
        ]
    );
    assert_eq!(events[0].request, events[1].request);
}

#[tokio::test]
async fn an_unopened_record_out_of_reach_is_refused_and_not_named_as_failed() {
    let trail = MemoryTrail::default();
    let caller = caller(Role::Clinician);
    let subject = subject(&caller, DataClass::Clinical);
    let mine = subject.patient(PatientId::random());
    let permitted = permit(&trail, &caller, Read, mine).await.unwrap();
    let other = [subject.patient(PatientId::random()).into()];
    let refused = disclose_partial(&trail, &permitted, &[mine.into()], &other, ()).await;
    assert!(matches!(refused, Err(PermitError::Refused(_))));
    let outcomes: Vec<_> = trail.events().iter().map(|event| event.outcome).collect();
    assert_eq!(outcomes, [Outcome::Refused]);
}

#[test]
fn a_disclosure_does_not_print_its_value() {
    let disclosed = Disclosed::of_recorded("Cruz").zip(Disclosed::of_recorded("1950"));
    assert_eq!(format!("{disclosed:?}"), "Disclosed(..)");
    let page = disclosed.map(|(name, born)| format!("{name} {born}"));
    assert_eq!(page.into_inner(), "Cruz 1950");
}

#[test]
fn disclosing_can_run_on_any_worker() {
    fn is_send<T: Send>(_: T) {}
    fn check<'a>(trail: &'a MemoryTrail, caller: &'a crate::Caller) {
        is_send(permit(
            trail,
            caller,
            Read,
            subject(caller, DataClass::Clinical),
        ));
        is_send(async move {
            let subject = subject(caller, DataClass::Clinical);
            let permitted = permit(trail, caller, Read, subject).await.unwrap();
            disclose(trail, &permitted, &[], ())
                .await
                .unwrap()
                .into_inner();
        });
    }
    check(&MemoryTrail::default(), &caller(Role::Clinician));
}
