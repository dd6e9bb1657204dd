//! Counters of sign-in attempts, and evidence of addresses.

use std::time::Duration;

use db::AddressEvidence;
use db::AttemptCounter;
use db::Database;
use db::Error;
use phi_types::random_bytes;
use time::Date;

use super::scratch::Scratch;

const MINUTE: Duration = Duration::from_mins(1);

fn counter() -> AttemptCounter {
    AttemptCounter {
        limiter: random_bytes(),
        interval: MINUTE,
        burst: 3,
    }
}

async fn count(app: &Database, counters: &[AttemptCounter]) -> Result<Option<Duration>, Error> {
    let mut transaction = app.begin().await?;
    for counter in counters {
        if let Some(wait) = transaction.count_attempt(counter).await? {
            transaction.rollback().await?;
            return Ok(Some(wait));
        }
    }
    transaction.commit().await?;
    Ok(None)
}

/// The day by the clock of the database.
async fn today(app: &Database) -> Date {
    let mut transaction = app.begin().await.unwrap();
    transaction.now().await.unwrap().date()
}

#[tokio::test]
async fn a_burst_is_counted_and_the_next_attempt_waits_for_an_interval() {
    let app = Scratch::migrated().await.app();
    let counter = counter();
    for _ in 0..counter.burst {
        assert_eq!(count(&app, &[counter]).await.unwrap(), None);
    }
    let wait = count(&app, &[counter]).await.unwrap().unwrap();
    assert!(wait <= MINUTE && wait > MINUTE / 2, "{wait:?}");
}

#[tokio::test]
async fn of_many_attempts_at_once_no_more_are_counted_than_the_burst() {
    let scratch = Scratch::migrated().await;
    let app = scratch.app();
    let shared = counter();
    let attempts = (0..24).map(|_| {
        let (app, counters) = (app.clone(), [counter(), shared]);
        tokio::spawn(async move {
            loop {
                match count(&app, &counters).await {
                    Err(Error::Conflict) => {}
                    counted => return counted.unwrap(),
                }
            }
        })
    });
    let mut counted = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        counted += u32::from(attempt.await.unwrap().is_none());
    }
    assert_eq!(counted, shared.burst);
}

#[tokio::test]
async fn an_attempt_that_a_second_limiter_refuses_is_not_counted_in_the_first() {
    let app = Scratch::migrated().await.app();
    let (first, second) = (counter(), counter());
    for _ in 0..second.burst {
        assert_eq!(count(&app, &[second]).await.unwrap(), None);
    }
    for _ in 0..9 {
        assert!(count(&app, &[first, second]).await.unwrap().is_some());
    }
    for _ in 0..first.burst {
        assert_eq!(count(&app, &[first]).await.unwrap(), None);
    }
}

#[tokio::test]
async fn counted_attempts_are_subtracted_one_by_one_or_all() {
    let app = Scratch::migrated().await.app();
    let counter = counter();
    for _ in 0..counter.burst {
        assert_eq!(count(&app, &[counter]).await.unwrap(), None);
    }
    let mut transaction = app.begin().await.unwrap();
    transaction.uncount_attempt(&counter).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(count(&app, &[counter]).await.unwrap(), None);
    assert!(count(&app, &[counter]).await.unwrap().is_some());
    let mut transaction = app.begin().await.unwrap();
    transaction.forget_attempts(&counter).await.unwrap();
    transaction.commit().await.unwrap();
    for _ in 0..counter.burst {
        assert_eq!(count(&app, &[counter]).await.unwrap(), None);
    }
}

#[tokio::test]
async fn counters_are_removed_page_by_page_once_they_are_empty() {
    let app = Scratch::migrated().await.app();
    let brief = || AttemptCounter {
        interval: Duration::from_micros(1),
        ..counter()
    };
    let kept = counter();
    for counter in [brief(), brief(), brief(), kept] {
        assert_eq!(count(&app, &[counter]).await.unwrap(), None);
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(app.delete_empty_attempt_counters(2).await.unwrap(), 2);
    assert_eq!(app.delete_empty_attempt_counters(2).await.unwrap(), 1);
    assert_eq!(app.delete_empty_attempt_counters(2).await.unwrap(), 0);
    for _ in 1..kept.burst {
        assert_eq!(count(&app, &[kept]).await.unwrap(), None);
    }
    assert!(count(&app, &[kept]).await.unwrap().is_some());
}

#[tokio::test]
async fn evidence_is_found_by_its_token_and_removed_when_it_has_expired() {
    let app = Scratch::migrated().await.app();
    let evidence = || AddressEvidence {
        token: random_bytes(),
        proof: random_bytes(),
    };
    let (kept, expired) = (evidence(), evidence());
    let today = today(&app).await;
    let tomorrow = today.next_day().unwrap();
    for _ in 0..2 {
        app.store_address_evidence(kept, tomorrow).await.unwrap();
        app.store_address_evidence(expired, today).await.unwrap();
    }
    let tokens = [random_bytes(), kept.token, expired.token, random_bytes()];
    let mut proofs = app.address_proofs(tokens).await.unwrap();
    proofs.sort_unstable();
    let mut stored = vec![kept.proof, expired.proof];
    stored.sort_unstable();
    assert_eq!(proofs, stored);
    assert_eq!(app.delete_expired_address_evidence(9).await.unwrap(), 1);
    assert_eq!(app.address_proofs(tokens).await.unwrap(), [kept.proof]);
}
