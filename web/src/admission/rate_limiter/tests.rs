//! Tests of the rate limiter.

use governor::clock::FakeRelativeClock;
use proptest::prelude::*;

use super::*;

fn limiter(quota: u32) -> (RateLimiter<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    let quota = NonZeroU32::new(quota).unwrap();
    (RateLimiter::new(quota, 60, clock.clone()), clock)
}

fn client(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// The values of `RateLimit` and `Retry-After`.
fn headers(status: &RateLimitStatus) -> (String, Option<String>) {
    let mut map = HeaderMap::new();
    status.write(&mut map);
    assert_eq!(map.get_all("ratelimit-policy").iter().count(), 1);
    let text = |name: &str| Some(map.get(name)?.to_str().unwrap().to_owned());
    (text("ratelimit").unwrap(), text("retry-after"))
}

#[test]
fn a_response_has_the_remaining_quota_and_a_refusal_the_time_to_retry() {
    let (limiter, clock) = limiter(6);
    for left in (0..6).rev() {
        let status = limiter.check(client(1)).unwrap();
        let seconds = (6 - left) * 10;
        let expected = format!("\"requests\";r={left};t={seconds}");
        assert_eq!(headers(&status), (expected, None));
        assert_eq!(status.policy, "\"requests\";q=6;w=60");
    }
    clock.advance(Duration::from_millis(500));
    let refused = limiter.check(client(1)).unwrap_err();
    let expected = "\"requests\";r=0;t=10".to_owned();
    assert_eq!(headers(&refused), (expected, Some("10".to_owned())));
    clock.advance(Duration::from_millis(9_500));
    assert!(limiter.check(client(1)).is_ok());
    assert!(limiter.check(client(1)).is_err());
}

#[test]
fn clients_have_separate_quotas_unless_they_are_in_one_network() {
    let (limiter, _clock) = limiter(1);
    assert!(limiter.check(client(1)).is_ok());
    assert!(limiter.check(client(2)).is_ok());
    assert!(limiter.check("::ffff:192.0.2.1".parse().unwrap()).is_err());
    assert!(limiter.check("2001:db8::1".parse().unwrap()).is_ok());
    assert!(limiter.check("2001:db8::2:1".parse().unwrap()).is_err());
    assert!(limiter.check("2001:db8:0:1::1".parse().unwrap()).is_ok());
}

#[test]
fn an_ipv6_site_has_four_times_the_quota_of_a_network() {
    let (limiter, _clock) = limiter(2);
    let network = |number: u32| format!("2001:db8:0:{number:x}::1").parse().unwrap();
    let allowed = (0..100).filter(|number| limiter.check(network(*number)).is_ok());
    assert_eq!(allowed.count(), 8);
    assert!(limiter.check("2001:db8:1::1".parse().unwrap()).is_ok());
}

#[test]
fn a_client_with_a_full_quota_is_removed() {
    let (limiter, clock) = limiter(60);
    for last in 0..100 {
        limiter.check(client(last)).unwrap();
    }
    limiter.sweep(MAX_CLIENTS);
    assert_eq!(limiter.clients.len(), 100);
    clock.advance(Duration::from_secs(2));
    limiter.sweep(MAX_CLIENTS);
    assert_eq!(limiter.clients.len(), 0);
}

#[test]
fn too_many_clients_share_cells_and_use_bounded_memory() {
    let (limiter, clock) = limiter(60);
    let count = |last: u8| {
        let _ = limiter.check(client(last));
    };
    (0..100).for_each(count);
    limiter.sweep(50);
    for high in 0..=255 {
        for low in 0..=255 {
            let _ = limiter.check(IpAddr::from([198, 51, high, low]));
        }
    }
    assert!(limiter.clients.len() <= 100 + 4096);
    // Clients in shared cells are still limited.
    assert!((0..61).any(|_| limiter.check(client(1)).is_err()));
    clock.advance(Duration::from_mins(2));
    limiter.sweep(50);
    assert!(!limiter.crowded.load(Relaxed));
    assert!(limiter.check(client(1)).is_ok());
}

proptest! {
    #[test]
    fn no_client_exceeds_its_quota_and_the_regained_part(
        quota in 1_u32..200,
        pauses in proptest::collection::vec(0_u64..5_000, 1..400),
    ) {
        let (limiter, clock) = limiter(quota);
        let mut elapsed = 0;
        let mut allowed = 0;
        for pause in pauses {
            clock.advance(Duration::from_millis(pause));
            elapsed += pause;
            let most = u64::from(quota) + elapsed * u64::from(quota) / 60_000 + 1;
            match limiter.check(client(1)) {
                Ok(status) => {
                    allowed += 1;
                    prop_assert!(status.remaining < quota && !status.exceeded);
                }
                // A client that waits for the stated time is allowed.
                Err(status) => {
                    prop_assert!(status.exceeded);
                    let seconds = status.seconds;
                    clock.advance(Duration::from_secs(seconds));
                    elapsed += seconds * 1000;
                    prop_assert!(limiter.check(client(1)).is_ok());
                    allowed += 1;
                }
            }
            prop_assert!(allowed <= most + elapsed * u64::from(quota) / 60_000);
        }
    }
}
