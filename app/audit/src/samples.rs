//! Sample events and strategies for tests.

use proptest::option;
use proptest::prelude::*;
use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Action;
use crate::Assurance;
use crate::Event;
use crate::Outcome;
use crate::PurposeOfUse;
use crate::RecordReference;

/// A refused sign-in.
pub(crate) fn event() -> Event {
    Event {
        at: OffsetDateTime::UNIX_EPOCH,
        request: Uuid::from_u128(1),
        organization: Uuid::from_u128(2),
        person: None,
        role: None,
        session: None,
        assurance: None,
        source: None,
        action: Action::SignIn,
        outcome: Outcome::Refused,
        purpose: PurposeOfUse::Operations,
        suppressed: None,
        records: Vec::new(),
    }
}

/// A reference to a record of patient number `patient`.
pub(crate) fn record(patient: u128) -> RecordReference {
    RecordReference {
        id: None,
        kind: "Patient".to_owned(),
        patient: Some(Uuid::from_u128(patient)),
        version: Some(3),
    }
}

/// Any event, with few values per field, so that equal events and fields occur.
pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let header = (
        0..2_i64,
        uuid(),
        uuid(),
        option::of(uuid()),
        option::of(text()),
    );
    let caller = (
        option::of(uuid()),
        option::of(assurance()),
        option::of(text()),
    );
    let result = (action(), outcome(), option::of(0..2_u32));
    let records = prop::collection::vec(any_record(), 0..6);
    (header, caller, result, records).prop_map(|(header, caller, result, records)| Event {
        at: OffsetDateTime::UNIX_EPOCH + Duration::microseconds(header.0),
        request: header.1,
        organization: header.2,
        person: header.3,
        role: header.4,
        session: caller.0,
        assurance: caller.1,
        source: caller.2,
        action: result.0,
        outcome: result.1,
        purpose: PurposeOfUse::Treatment,
        suppressed: result.2,
        records,
    })
}

fn any_record() -> impl Strategy<Value = RecordReference> {
    let ids = (option::of(uuid()), option::of(uuid()));
    (text(), ids, option::of(0..2_u32)).prop_map(|(kind, (id, patient), version)| RecordReference {
        id,
        kind,
        patient,
        version,
    })
}

fn uuid() -> impl Strategy<Value = Uuid> {
    (0..2_u128).prop_map(Uuid::from_u128)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Patient".to_owned()),
        Just("a\"\u{7}\u{e9}".to_owned())
    ]
}

fn assurance() -> impl Strategy<Value = Assurance> {
    prop_oneof![Just(Assurance::Password), Just(Assurance::Passkey)]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![Just(Action::Read), Just(Action::Write)]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Success), Just(Outcome::Partial)]
}
