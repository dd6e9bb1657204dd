//! Tests of the lifetime of open keys, with and without an outage of the key service.

use super::*;
use crate::keyring::cache::SingleFlightCache;

#[tokio::test]
async fn one_call_of_the_key_service_opens_all_patients_of_an_organization() {
    let world = World::new().await;
    let owners: Vec<_> = std::iter::repeat_with(patient).take(20).collect();
    for owner in &owners {
        world.add_scope(*owner).await;
    }
    let (keyring, before) = (world.keyring(), world.service.calls());
    for owner in &owners {
        keyring.scope(world.organization, *owner).await.unwrap();
    }
    assert_eq!(world.service.calls() - before, 1);
}

#[tokio::test]
async fn many_callers_at_once_are_one_call() {
    let world = World::new().await;
    let owner = patient();
    world.add_scope(owner).await;
    let (keyring, calls) = (world.keyring(), world.service.calls());
    let reads = world.store.reads();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (keyring, organization) = (keyring.clone(), world.organization);
        callers.spawn(async move { keyring.scope(organization, owner).await.map(drop) });
    }
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    assert_eq!(world.service.calls() - calls, 1);
    assert_eq!(world.store.reads() - reads, 2);
}

#[tokio::test]
async fn an_outage_is_one_call_too_and_ends_with_the_outage() {
    let world = World::new().await;
    let (keyring, calls) = (world.keyring(), world.service.calls());
    world.service.fail(Some(ServiceError::Unavailable));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (keyring, organization) = (keyring.clone(), world.organization);
        callers.spawn(async move { keyring.authorization(organization).await.map(drop) });
    }
    let retry_after = KeyringSettings::default().retry_after;
    for outcome in callers.join_all().await {
        assert_eq!(outcome, Err(KeyError::Unavailable { retry_after }));
    }
    assert_eq!(world.service.calls() - calls, 1);
    world.service.fail(None);
    assert!(keyring.authorization(world.organization).await.is_ok());
}

#[tokio::test]
async fn open_keys_serve_during_an_outage_and_no_longer_than_their_deadline() {
    let world = World::new().await;
    let owner = patient();
    world.add_scope(owner).await;
    let keyring = world.keyring_for(Duration::from_secs(2));
    keyring.scope(world.organization, owner).await.unwrap();
    let deadline = keyring.branch_deadline(world.organization).unwrap();
    world.service.fail(Some(ServiceError::Unavailable));
    let served = keyring.scope(world.organization, owner).await;
    assert!(served.is_ok() || Instant::now() >= deadline);
    until(|| !keyring.is_open(world.organization)).await;
    assert!(Instant::now() >= deadline);
    let refused = keyring.scope(world.organization, owner).await;
    assert!(matches!(refused, Err(KeyError::Unavailable { .. })));
    world.service.fail(None);
    assert!(keyring.scope(world.organization, owner).await.is_ok());
}

#[tokio::test]
async fn a_branch_key_in_use_is_refreshed_before_it_closes() {
    let world = World::new().await;
    let keyring = world.keyring_for(Duration::from_secs(5));
    keyring.authorization(world.organization).await.unwrap();
    let first = keyring.branch_deadline(world.organization).unwrap();
    let is_refreshed = || {
        let deadline = keyring.branch_deadline(world.organization);
        deadline.is_none_or(|next| next > first)
    };
    until(is_refreshed).await;
    assert!(keyring.is_open(world.organization));
}

#[tokio::test]
async fn a_branch_key_without_use_is_closed_and_not_refreshed() {
    let world = World::new().await;
    let keyring = world.keyring_for(Duration::from_millis(200));
    // This use leads to one refresh; no use follows.
    keyring.authorization(world.organization).await.unwrap();
    until(|| !keyring.is_open(world.organization)).await;
    let calls = world.service.calls();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.service.calls(), calls);
    assert!(keyring.0.organizations.peek(&world.organization).is_none());
}

#[tokio::test]
async fn a_refusal_at_refresh_closes_what_was_open() {
    let world = World::new().await;
    let keyring = world.keyring_for(Duration::from_secs(5));
    keyring.authorization(world.organization).await.unwrap();
    let deadline = keyring.branch_deadline(world.organization).unwrap();
    world.service.fail(Some(ServiceError::Denied));
    until(|| keyring.0.organizations.peek(&world.organization).is_none()).await;
    assert!(Instant::now() < deadline);
    let refused = keyring.authorization(world.organization).await;
    assert_eq!(refused.unwrap_err(), KeyError::Denied);
}

#[tokio::test]
async fn a_closed_organization_is_not_reopened_by_its_refresh() {
    let world = World::new().await;
    let keyring = world.keyring_for(Duration::from_millis(500));
    keyring.authorization(world.organization).await.unwrap();
    keyring.close(world.organization);
    assert!(!keyring.is_open(world.organization));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!keyring.is_open(world.organization));
}

#[tokio::test]
async fn nothing_is_open_longer_than_five_minutes_whatever_is_set() {
    let world = World::new().await;
    let keyring = world.keyring_for(Duration::from_hours(24));
    keyring.authorization(world.organization).await.unwrap();
    let deadline = keyring.branch_deadline(world.organization).unwrap();
    assert!(deadline <= Instant::now() + Duration::from_mins(5));
}

#[tokio::test]
async fn a_cache_holds_no_more_than_it_may_and_keeps_what_is_used() {
    let cache = SingleFlightCache::<usize, usize>::new(80);
    for key in 0..1_000 {
        cache.load(0, async || Ok(0)).await.unwrap();
        cache.load(key, async || Ok(key)).await.unwrap();
        assert_eq!(cache.peek(&0), Some(0));
    }
    let held = (0..1_000).filter(|key| cache.peek(key).is_some()).count();
    assert!((60..=80).contains(&held), "{held}");
}

/// The future of every handler contains one of these.
#[tokio::test]
async fn a_future_that_loads_a_key_is_small() {
    let world = World::new().await;
    let keyring = world.keyring();
    let index = keyring
        .index(world.organization, world.index)
        .await
        .unwrap();
    let value = IndexValue {
        parameter: phi_types::IndexParameter::Identifier,
        system: None,
        value: "",
    };
    let (owner, row) = (Owner::Organization, RowId::random());
    let (requested, sealed) = (
        world.requested(owner, row),
        Sealed::<Family>::from_bytes(Vec::new()),
    );
    let sizes = [
        size_of_val(&keyring.scope(world.organization, owner)),
        size_of_val(&keyring.new_scope(world.organization, owner, NOW)),
        size_of_val(&keyring.new_organization(world.organization, NOW)),
        size_of_val(&keyring.service_token(&index, Normalizer::V1, value)),
        size_of_val(&keyring.open(requested, &sealed)),
    ];
    assert!(sizes.iter().all(|size| *size < 8 << 10), "{sizes:?}");
}
