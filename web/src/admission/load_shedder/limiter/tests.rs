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

/// A limit, requests at work, and a clock that is moved by hand.
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

    /// As many requests at a time as are admitted, for `windows` windows.
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
fn it_starts_at_its_maximum_and_goes_no_further() {
    let mut bench = Bench::new();
    assert_eq!(bench.limiter.current(), CONFIG.max);
    bench.load(FAST, 10);
    assert_eq!(bench.limiter.current(), CONFIG.max);
    let entered = (0..1000).filter(|_| bench.enter()).count();
    assert_eq!(entered, 256);
}

#[test]
fn what_gets_slow_under_load_is_let_down_to_the_floor_and_comes_back() {
    let mut bench = Bench::new();
    bench.load(FAST, 10);
    bench.load(SLOW, 20);
    assert_eq!(bench.limiter.current(), CONFIG.min);
    bench.load(FAST, 60);
    assert_eq!(bench.limiter.current(), CONFIG.max);
}

#[test]
fn what_is_slower_than_usual_but_soon_enough_is_let_through() {
    let mut bench = Bench::new();
    bench.load(FAST, 10);
    bench.load(CONFIG.tolerated_latency * 9 / 10, 50);
    assert_eq!(bench.limiter.current(), CONFIG.max);
}

#[test]
fn what_has_always_been_slow_is_not_overload() {
    let mut bench = Bench::new();
    bench.load(SLOW, 50);
    assert_eq!(bench.limiter.current(), CONFIG.max);
}

#[test]
fn what_stays_slow_becomes_usual_in_the_end() {
    let mut bench = Bench::new();
    bench.load(Duration::from_millis(20), 10);
    bench.load(Duration::from_millis(60), 10);
    assert!(bench.limiter.current() < CONFIG.max / 2);
    bench.load(Duration::from_millis(60), 1000);
    assert_eq!(bench.limiter.current(), CONFIG.max);
}

#[test]
fn a_few_slow_ones_among_many_move_nothing() {
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
    Answer(u64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => Just(Step::Enter),
        1 => Just(Step::Leave),
        3 => (0_u64..2_000_000).prop_map(Step::Answer),
        1 => (0_u64..2_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_laws_hold(steps in proptest::collection::vec(step(), 0..600)) {
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
                Step::Answer(micros) if bench.in_flight > 0 => {
                    bench.in_flight -= 1;
                    let latency = Duration::from_micros(micros);
                    bench.limiter.on_latency(latency, bench.now, bench.in_flight);
                }
                Step::Leave | Step::Answer(_) => {}
                Step::Wait(millis) => bench.now += Duration::from_millis(millis),
            }
            prop_assert!((CONFIG.min..=CONFIG.max).contains(&bench.limiter.current()));
        }
        bench.in_flight = 0;
        bench.load(FAST, 80);
        prop_assert_eq!(bench.limiter.current(), CONFIG.max);
    }
}
