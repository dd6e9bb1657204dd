//! Tests of the adaptive limit.

use proptest::prelude::*;

use super::*;

const CONFIG: LimiterConfig = LimiterConfig {
    min: 8,
    max: 256,
    tolerated_latency: Duration::from_millis(10),
};
const FAST: Duration = Duration::from_millis(1);
const SLOW: Duration = Duration::from_millis(500);

/// A limit with requests in flight and a manual clock.
struct Bench {
    limiter: AdaptiveLimit,
    in_flight: u64,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            limiter: AdaptiveLimit::new(CONFIG, now),
            in_flight: 0,
            now,
        }
    }

    /// Admits a request, unless the limit is reached.
    fn enter(&mut self) -> bool {
        self.limiter.on_demand(self.in_flight + 1);
        let admitted = self.in_flight < u64::from(self.limiter.current());
        self.in_flight += u64::from(admitted);
        admitted
    }

    /// Sends as many requests as are admitted, for `windows` windows.
    fn load(&mut self, latency: Duration, windows: u32) {
        for _ in 0..windows {
            let mut entered = 0;
            while entered < CONFIG.max * 2 && self.enter() {
                entered += 1;
            }
            self.now += WINDOW * 10;
            for _ in 0..entered {
                self.in_flight -= 1;
                self.limiter.on_latency(latency, self.now, self.in_flight);
            }
        }
    }
}

#[test]
fn the_limit_starts_at_its_maximum_and_never_exceeds_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.limiter.current(), CONFIG.max);
    bench.load(FAST, 10);
    assert_eq!(bench.limiter.current(), CONFIG.max);
    let entered = (0..1000).filter(|_| bench.enter()).count();
    assert_eq!(entered, 256);
}

#[test]
fn the_limit_falls_to_its_minimum_under_slow_responses_and_recovers() {
    let mut bench = Bench::new();
    bench.load(FAST, 10);
    bench.load(SLOW, 20);
    assert_eq!(bench.limiter.current(), CONFIG.min);
    bench.load(FAST, 60);
    assert_eq!(bench.limiter.current(), CONFIG.max);
}

#[test]
fn a_tolerated_latency_leaves_the_limit_unchanged() {
    let mut bench = Bench::new();
    bench.load(FAST, 10);
    bench.load(CONFIG.tolerated_latency * 9 / 10, 50);
    assert_eq!(bench.limiter.current(), CONFIG.max);
}

#[test]
fn a_constant_high_latency_is_not_overload() {
    let mut bench = Bench::new();
    bench.load(SLOW, 50);
    assert_eq!(bench.limiter.current(), CONFIG.max);
}

#[test]
fn a_lasting_higher_latency_becomes_the_baseline() {
    let mut bench = Bench::new();
    bench.load(Duration::from_millis(20), 10);
    bench.load(Duration::from_millis(60), 10);
    assert!(bench.limiter.current() < CONFIG.max / 2);
    bench.load(Duration::from_millis(60), 1000);
    assert_eq!(bench.limiter.current(), CONFIG.max);
}

#[test]
fn a_few_slow_responses_leave_the_limit_unchanged() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.load(FAST, 1);
        for _ in 0..100 {
            bench.limiter.on_latency(SLOW, bench.now, 0);
        }
    }
    assert_eq!(bench.limiter.current(), CONFIG.max);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter,
    Leave,
    Respond(u64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => Just(Step::Enter),
        1 => Just(Step::Leave),
        3 => (0_u64..2_000_000).prop_map(Step::Respond),
        1 => (0_u64..2_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn the_limit_stays_in_its_bounds_under_any_sequence(steps in proptest::collection::vec(step(), 0..600)) {
        let mut bench = Bench::new();
        for step in steps {
            match step {
                Step::Enter => {
                    let before = bench.in_flight;
                    let admitted = bench.enter();
                    prop_assert_eq!(admitted, before < u64::from(bench.limiter.current()));
                    prop_assert!(admitted || before >= u64::from(CONFIG.min));
                }
                Step::Leave if bench.in_flight > 0 => bench.in_flight -= 1,
                Step::Respond(micros) if bench.in_flight > 0 => {
                    bench.in_flight -= 1;
                    let latency = Duration::from_micros(micros);
                    bench.limiter.on_latency(latency, bench.now, bench.in_flight);
                }
                Step::Leave | Step::Respond(_) => {}
                Step::Wait(millis) => bench.now += Duration::from_millis(millis),
            }
            prop_assert!((CONFIG.min..=CONFIG.max).contains(&bench.limiter.current()));
        }
        bench.in_flight = 0;
        bench.load(FAST, 80);
        prop_assert_eq!(bench.limiter.current(), CONFIG.max);
    }
}
