//! The budget of refusals, across windows and failures of the trail.

use super::*;
use crate::DataClass;
use crate::Read;
use crate::Role;
use crate::permit;
use crate::testing::MemoryTrail;
use crate::testing::caller;
use crate::testing::subject;

/// Causes `count` refusals of `caller`.
async fn refuse(trail: &MemoryTrail, caller: &Caller, count: u32) {
    for _ in 0..count {
        let clinical = subject(caller, DataClass::Clinical);
        assert!(permit(trail, caller, Read, clinical).await.is_err());
    }
}

fn suppressed(trail: &MemoryTrail) -> Vec<Option<u32>> {
    trail
        .events()
        .iter()
        .map(|event| event.suppressed)
        .collect()
}

#[tokio::test]
async fn refusals_beyond_the_budget_are_recorded_as_one_event() {
    let trail = MemoryTrail::with_budget(3);
    let caller = caller(Role::FrontDesk);
    refuse(&trail, &caller, 10).await;
    assert_eq!(suppressed(&trail), [None; 3]);
    flush_refusals(&trail, Windows::Ended).await.unwrap();
    assert_eq!(trail.events().len(), 3);
    trail.advance(WINDOW);
    flush_refusals(&trail, Windows::Ended).await.unwrap();
    assert_eq!(suppressed(&trail), [None, None, None, Some(7)]);
    let summary = &trail.events()[3];
    assert_eq!(summary.outcome, Outcome::Refused);
    assert_eq!(summary.person, Some(caller.person()));
    assert!(summary.records.is_empty());
    flush_refusals(&trail, Windows::All).await.unwrap();
    assert_eq!(trail.events().len(), 4);
}

#[tokio::test]
async fn the_first_refusal_of_a_minute_records_the_summary_of_the_previous_one() {
    let trail = MemoryTrail::with_budget(2);
    let caller = caller(Role::FrontDesk);
    refuse(&trail, &caller, 4).await;
    trail.advance(WINDOW);
    refuse(&trail, &caller, 1).await;
    assert_eq!(suppressed(&trail), [None, None, Some(2), None]);
}

#[tokio::test]
async fn one_caller_does_not_use_the_budget_of_another() {
    let trail = MemoryTrail::with_budget(1);
    let (one, other) = (caller(Role::FrontDesk), caller(Role::FrontDesk));
    refuse(&trail, &one, 5).await;
    refuse(&trail, &other, 1).await;
    let people: Vec<_> = trail.events().iter().map(|event| event.person).collect();
    assert_eq!(people, [Some(one.person()), Some(other.person())]);
}

#[tokio::test]
async fn counts_survive_a_trail_that_fails() {
    let trail = MemoryTrail::with_budget(1);
    let caller = caller(Role::FrontDesk);
    refuse(&trail, &caller, 4).await;
    trail.fail(true);
    assert!(flush_refusals(&trail, Windows::All).await.is_err());
    trail.fail(false);
    flush_refusals(&trail, Windows::All).await.unwrap();
    assert_eq!(suppressed(&trail), [None, Some(3)]);
}
