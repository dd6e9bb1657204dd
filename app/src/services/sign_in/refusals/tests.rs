//! Tests of the budget of recorded refusals.

use audit::Action;
use phi::PersonId;
use time::OffsetDateTime;

use super::*;
use crate::services::trail::system_event;

const MINUTE: Duration = Duration::from_mins(1);

fn refused(account: Option<Account>, client: u8) -> RefusedAttempt {
    let source = Some(IpAddr::from([192, 0, 2, client]));
    let organization = account.map_or(OrganizationId::SYSTEM, |account| account.organization);
    let event = system_event(organization, OffsetDateTime::UNIX_EPOCH, Action::SignIn);
    RefusedAttempt {
        account,
        client: ClientPrefix::of(source),
        source,
        event: Event {
            person: account.map(|account| account.person.uuid()),
            ..event
        },
    }
}

fn account() -> Account {
    Account {
        organization: OrganizationId::random(),
        person: PersonId::random(),
    }
}

const THROTTLING: Throttling = Throttling {
    limiter: LimiterId::for_tests(1),
    wait: Duration::from_mins(5),
};

#[test]
fn a_throttled_attempt_is_recorded_once_for_each_wait_and_the_others_are_counted() {
    let (log, now, owner) = (RefusalLog::default(), Instant::now(), Some(account()));
    let admitted = |at| log.admit(refused(owner, 1), Some(THROTTLING), at).is_some();
    assert!(admitted(now));
    for second in 0..299 {
        assert!(!admitted(now + Duration::from_secs(second)), "{second}");
    }
    assert!(admitted(now + MINUTE * 5));
    assert_eq!(
        log.known_account(THROTTLING.limiter),
        Some(AccountLookup(owner))
    );
    assert!(log.take_summaries(false, now + MINUTE * 4).is_empty());
    let [summary] = &log.take_summaries(false, now + MINUTE * 5)[..] else {
        panic!("one summary");
    };
    let event = summary.to_attempt().event;
    assert_eq!(event.suppressed, Some(299));
    assert_eq!(event.person, owner.map(|owner| owner.person.uuid()));
    assert!(log.take_summaries(true, now + MINUTE * 9).is_empty());
}

#[test]
fn a_client_that_tries_many_accounts_is_recorded_within_its_budget() {
    let (log, now) = (RefusalLog::default(), Instant::now());
    let owner = Some(account());
    let mut recorded = 0;
    for number in 0..100_u32 {
        let account = owner.filter(|_| number % 10 == 0);
        recorded += u32::from(log.admit(refused(account, 1), None, now).is_some());
    }
    assert_eq!(recorded, MAX_CLIENT_REFUSALS_PER_MINUTE);
    assert!(log.admit(refused(None, 2), None, now).is_some());
    assert!(log.admit(refused(None, 1), None, now + MINUTE).is_some());
    let mut counts: Vec<_> = log
        .take_summaries(true, now)
        .iter()
        .map(|summary| (summary.to_attempt().account, summary.count))
        .collect();
    counts.sort_by_key(|(_, count)| *count);
    assert_eq!(counts, [(owner, 8), (None, 72)]);
}

#[test]
fn a_summary_that_could_not_be_recorded_stays_counted() {
    let (log, now, owner) = (RefusalLog::default(), Instant::now(), Some(account()));
    for _ in 0..3 {
        log.admit(refused(owner, 1), Some(THROTTLING), now);
    }
    for summary in log.take_summaries(true, now) {
        log.restore(summary);
    }
    log.admit(refused(owner, 1), Some(THROTTLING), now);
    let taken = log.take_summaries(true, now);
    assert_eq!(taken.iter().map(|it| it.count).collect::<Vec<_>>(), [3]);
}

#[test]
fn all_clients_together_are_recorded_within_a_budget_and_the_summaries_name_the_accounts() {
    let (log, now, owner) = (RefusalLog::default(), Instant::now(), Some(account()));
    let clients = 3 * u32::try_from(MAX_SUMMARIES).unwrap();
    let mut recorded = 0;
    for number in 0..clients {
        let source = Some(IpAddr::from(number.to_be_bytes()));
        let refused = RefusedAttempt {
            client: ClientPrefix::of(source),
            source,
            ..refused(owner, 1)
        };
        recorded += u32::from(log.admit(refused, None, now).is_some());
    }
    assert_eq!(recorded, MAX_REFUSALS_PER_MINUTE);
    let summaries = log.take_summaries(true, now);
    assert_eq!(summaries.len(), MAX_SUMMARIES + 1);
    assert!(summaries.iter().all(|it| it.to_attempt().account == owner));
    let counted: u32 = summaries.iter().map(|summary| summary.count).sum();
    assert_eq!(recorded + counted, clients);
}

#[test]
fn memory_is_bounded_and_every_refusal_is_counted_all_the_same() {
    let (log, now) = (RefusalLog::default(), Instant::now());
    let many = 3 * u32::try_from(MAX_SUMMARIES).unwrap();
    let mut admitted = 0;
    for _ in 0..many {
        let refused = refused(Some(account()), 1);
        admitted += u32::from(log.admit(refused, None, now).is_some());
    }
    assert_eq!(log.lock().summaries.len(), 2 * MAX_SUMMARIES + 1);
    let summaries = log.take_summaries(true, now);
    let anonymous = |it: &&Summary| it.to_attempt().organization() == OrganizationId::SYSTEM;
    assert_eq!(summaries.iter().filter(anonymous).count(), 1);
    let counted: u32 = summaries.iter().map(|summary| summary.count).sum();
    assert_eq!(admitted + counted, many);
}
