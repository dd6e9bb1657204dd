//! Tests of admission to password hashing.

use std::time::Duration;

use super::*;

fn client(last: u8) -> ClientPrefix {
    ClientPrefix::of(Some([192, 0, 2, last].into()))
}

/// Waits until every task that can run has run.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn a_released_permit_is_granted_to_the_next_client() {
    let queue = HashingQueue::with_permits(1);
    let permit = queue.acquire(client(1)).await.unwrap();
    let other = queue.clone();
    let waiting = tokio::spawn(async move { other.acquire(client(2)).await });
    settle().await;
    assert!(!waiting.is_finished());
    drop(permit);
    let permit = waiting.await.unwrap().unwrap();
    assert_eq!(queue.lock().free, 0);
    drop(permit);
    assert_eq!(queue.lock().free, 1);
}

#[tokio::test]
async fn a_flood_of_one_client_is_refused_at_once_and_leaves_room_for_others() {
    let queue = HashingQueue::with_permits(1);
    let permit = queue.acquire(client(1)).await.unwrap();
    let waiting: Vec<_> = (0..QueueLimits::for_permits(1).per_client)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.acquire(client(1)).await })
        })
        .collect();
    settle().await;
    assert_eq!(queue.acquire(client(1)).await.unwrap_err(), QueueFull);
    let other = queue.clone();
    let victim = tokio::spawn(async move { other.acquire(client(2)).await });
    settle().await;
    drop(permit);
    // The flood's oldest is served, and then the other client: a permit is held until it is
    // dropped.
    let mut waiting = waiting.into_iter();
    drop(waiting.next().unwrap().await.unwrap().unwrap());
    let served = tokio::time::timeout(Duration::from_secs(10), victim).await;
    drop(served.unwrap().unwrap().unwrap());
}

#[tokio::test]
async fn a_cancelled_request_keeps_no_permit() {
    let queue = HashingQueue::with_permits(1);
    let permit = queue.acquire(client(1)).await.unwrap();
    let other = queue.clone();
    let waiting = tokio::spawn(async move { other.acquire(client(1)).await });
    settle().await;
    waiting.abort();
    settle().await;
    drop(permit);
    assert_eq!(queue.lock().free, 1);
    assert!(queue.acquire(client(1)).await.is_ok());
}
