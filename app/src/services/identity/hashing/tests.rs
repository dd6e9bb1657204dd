//! Tests of admission to hashing.

use std::time::Duration;

use super::*;

fn client(last: u8) -> ClientPrefix {
    ClientPrefix::of(Some([192, 0, 2, last].into()))
}

/// Lets every task that can run do so.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn a_released_turn_goes_to_the_next_client() {
    let queue = HashingQueue::with_turns(1);
    let turn = queue.turn(client(1)).await.unwrap();
    let other = queue.clone();
    let waiting = tokio::spawn(async move { other.turn(client(2)).await });
    settle().await;
    assert!(!waiting.is_finished());
    drop(turn);
    let turn = waiting.await.unwrap().unwrap();
    assert_eq!(queue.lock().free, 0);
    drop(turn);
    assert_eq!(queue.lock().free, 1);
}

#[tokio::test]
async fn a_flood_of_one_client_is_refused_at_once_and_leaves_room_for_others() {
    let queue = HashingQueue::with_turns(1);
    let turn = queue.turn(client(1)).await.unwrap();
    let waiting: Vec<_> = (0..Shares::for_turns(1).client)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.turn(client(1)).await })
        })
        .collect();
    settle().await;
    assert_eq!(queue.turn(client(1)).await.unwrap_err(), QueueFull);
    let other = queue.clone();
    let victim = tokio::spawn(async move { other.turn(client(2)).await });
    settle().await;
    drop(turn);
    // The flood's oldest is served, and then the other client: a turn that is not dropped is held.
    let mut waiting = waiting.into_iter();
    drop(waiting.next().unwrap().await.unwrap().unwrap());
    let served = tokio::time::timeout(Duration::from_secs(10), victim).await;
    drop(served.unwrap().unwrap().unwrap());
}

#[tokio::test]
async fn a_cancelled_request_takes_no_turn_with_it() {
    let queue = HashingQueue::with_turns(1);
    let turn = queue.turn(client(1)).await.unwrap();
    let other = queue.clone();
    let waiting = tokio::spawn(async move { other.turn(client(1)).await });
    settle().await;
    waiting.abort();
    settle().await;
    drop(turn);
    assert_eq!(queue.lock().free, 1);
    assert!(queue.turn(client(1)).await.is_ok());
}
