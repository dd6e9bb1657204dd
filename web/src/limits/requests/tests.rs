use governor::clock::FakeRelativeClock;
use proptest::prelude::*;

use super::*;

fn requests(quota: u32) -> (Requests<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    let quota = NonZeroU32::new(quota).unwrap();
    (Requests::with_clock(quota, clock.clone()), clock)
}

fn client(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// What `RateLimit` and `Retry-After` say.
fn told(allowance: &Allowance) -> (String, Option<String>) {
    let mut headers = HeaderMap::new();
    allowance.write(&mut headers);
    assert_eq!(headers.get_all("ratelimit-policy").iter().count(), 1);
    let text = |name: &str| Some(headers.get(name)?.to_str().unwrap().to_owned());
    (text("ratelimit").unwrap(), text("retry-after"))
}

#[test]
fn a_client_is_told_what_is_left_and_then_when_to_come_again() {
    let (requests, clock) = requests(6);
    for left in (0..6).rev() {
        let allowance = requests.check(client(1)).unwrap();
        let seconds = (6 - left) * 10;
        let expected = format!("\"requests\";r={left};t={seconds}");
        assert_eq!(told(&allowance), (expected, None));
        assert_eq!(allowance.policy, "\"requests\";q=6;w=60");
    }
    clock.advance(Duration::from_millis(500));
    let refused = requests.check(client(1)).unwrap_err();
    let expected = "\"requests\";r=0;t=10".to_owned();
    assert_eq!(told(&refused), (expected, Some("10".to_owned())));
    clock.advance(Duration::from_millis(9_500));
    assert!(requests.check(client(1)).is_ok());
    assert!(requests.check(client(1)).is_err());
}

#[test]
fn one_client_takes_nothing_from_another_unless_both_are_one_subscriber() {
    let (requests, _clock) = requests(1);
    assert!(requests.check(client(1)).is_ok());
    assert!(requests.check(client(2)).is_ok());
    assert!(requests.check("::ffff:192.0.2.1".parse().unwrap()).is_err());
    assert!(requests.check("2001:db8::1".parse().unwrap()).is_ok());
    assert!(requests.check("2001:db8::2:1".parse().unwrap()).is_err());
    assert!(requests.check("2001:db8:0:1::1".parse().unwrap()).is_ok());
}

#[test]
fn whoever_has_the_whole_quota_back_is_forgotten() {
    let (requests, clock) = requests(60);
    for last in 0..100 {
        requests.check(client(last)).unwrap();
    }
    requests.sweep(KNOWN);
    assert_eq!(requests.limiter.len(), 100);
    clock.advance(Duration::from_secs(2));
    requests.sweep(KNOWN);
    assert_eq!(requests.limiter.len(), 0);
}

#[test]
fn very_many_clients_are_counted_together_and_take_no_more_memory() {
    let (requests, clock) = requests(60);
    let count = |last: u8| {
        let _ = requests.check(client(last));
    };
    (0..100).for_each(count);
    requests.sweep(50);
    for high in 0..=255 {
        for low in 0..=255 {
            let _ = requests.check(IpAddr::from([198, 51, high, low]));
        }
    }
    assert!(requests.limiter.len() <= 100 + 4096);
    // They are still limited.
    assert!((0..61).any(|_| requests.check(client(1)).is_err()));
    clock.advance(Duration::from_mins(2));
    requests.sweep(50);
    assert!(!requests.crowded.load(Relaxed));
    assert!(requests.check(client(1)).is_ok());
}

proptest! {
    #[test]
    fn no_client_gets_more_than_its_quota_and_what_comes_back(
        quota in 1_u32..200,
        pauses in proptest::collection::vec(0_u64..5_000, 1..400),
    ) {
        let (requests, clock) = requests(quota);
        let mut elapsed = 0;
        let mut allowed = 0;
        for pause in pauses {
            clock.advance(Duration::from_millis(pause));
            elapsed += pause;
            let most = u64::from(quota) + elapsed * u64::from(quota) / 60_000 + 1;
            match requests.check(client(1)) {
                Ok(allowance) => {
                    allowed += 1;
                    prop_assert!(allowance.left < quota && !allowance.refused);
                }
                // Whoever waits as told is let through.
                Err(allowance) => {
                    prop_assert!(allowance.refused);
                    let seconds = allowance.seconds;
                    clock.advance(Duration::from_secs(seconds));
                    elapsed += seconds * 1000;
                    prop_assert!(requests.check(client(1)).is_ok());
                    allowed += 1;
                }
            }
            prop_assert!(allowed <= most + elapsed * u64::from(quota) / 60_000);
        }
    }
}
