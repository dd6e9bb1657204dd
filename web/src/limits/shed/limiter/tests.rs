use std::thread;

use proptest::prelude::*;

use super::*;

const RULES: Rules = Rules {
    floor: 8,
    ceiling: 256,
    patience: Duration::from_millis(10),
};
const FAST: Duration = Duration::from_millis(1);
const SLOW: Duration = Duration::from_millis(500);

/// A limiter and a clock that moves only when told.
struct Bench {
    limiter: Limiter,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            limiter: Limiter::new(RULES, now),
            now,
        }
    }

    /// As many requests at a time as are let in, for `windows` windows.
    fn load(&mut self, latency: Duration, windows: u32) {
        for _ in 0..windows {
            let mut entered = 0;
            while entered < RULES.ceiling * 2 && self.limiter.enter() {
                entered += 1;
            }
            self.now += WINDOW * 10;
            for _ in 0..entered {
                self.limiter.leave();
                self.limiter.took(latency, self.now);
            }
        }
    }
}

#[test]
fn it_begins_at_the_ceiling_and_goes_no_further() {
    let mut bench = Bench::new();
    assert_eq!(bench.limiter.limit(), RULES.ceiling);
    bench.load(FAST, 10);
    assert_eq!(bench.limiter.limit(), RULES.ceiling);
    let entered = (0..1000).filter(|_| bench.limiter.enter()).count();
    assert_eq!(entered, 256);
}

#[test]
fn what_gets_slow_under_load_is_let_down_to_the_floor_and_comes_back() {
    let mut bench = Bench::new();
    bench.load(FAST, 10);
    bench.load(SLOW, 20);
    assert_eq!(bench.limiter.limit(), RULES.floor);
    bench.load(FAST, 60);
    assert_eq!(bench.limiter.limit(), RULES.ceiling);
}

#[test]
fn what_is_slower_than_usual_but_soon_enough_is_let_through() {
    let mut bench = Bench::new();
    bench.load(FAST, 10);
    bench.load(RULES.patience * 9 / 10, 50);
    assert_eq!(bench.limiter.limit(), RULES.ceiling);
}

#[test]
fn what_has_always_been_slow_is_not_overload() {
    let mut bench = Bench::new();
    bench.load(SLOW, 50);
    assert_eq!(bench.limiter.limit(), RULES.ceiling);
}

#[test]
fn what_stays_slow_becomes_usual_in_the_end() {
    let mut bench = Bench::new();
    bench.load(Duration::from_millis(20), 10);
    bench.load(Duration::from_millis(60), 10);
    assert!(bench.limiter.limit() < RULES.ceiling / 2);
    bench.load(Duration::from_millis(60), 1000);
    assert_eq!(bench.limiter.limit(), RULES.ceiling);
}

#[test]
fn a_few_slow_ones_among_many_move_nothing() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.load(FAST, 1);
        for _ in 0..100 {
            bench.limiter.took(SLOW, bench.now);
        }
    }
    assert_eq!(bench.limiter.limit(), RULES.ceiling);
}

#[test]
fn threads_together_never_exceed_the_limit() {
    let limiter = Limiter::new(RULES, Instant::now());
    let most = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut held = 0;
                for turn in 0..20_000 {
                    if turn % 300 < 150 {
                        held += u32::from(limiter.enter());
                    } else if held > 0 {
                        limiter.leave();
                        held -= 1;
                    }
                    most.fetch_max(limiter.in_flight(), Relaxed);
                }
                (0..held).for_each(|_| limiter.leave());
            });
        }
    });
    assert_eq!(limiter.in_flight(), 0);
    assert!(most.load(Relaxed) <= RULES.ceiling);
    assert!(most.load(Relaxed) > RULES.floor);
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
        let mut held = 0;
        for step in steps {
            match step {
                Step::Enter => {
                    let limit = bench.limiter.limit();
                    let entered = bench.limiter.enter();
                    // Exactly who is below the limit enters; below the floor is everybody.
                    prop_assert_eq!(entered, held < limit);
                    prop_assert!(entered || held >= RULES.floor);
                    held += u32::from(entered);
                }
                Step::Leave if held > 0 => {
                    bench.limiter.leave();
                    held -= 1;
                }
                Step::Answer(micros) if held > 0 => {
                    bench.limiter.leave();
                    bench.limiter.took(Duration::from_micros(micros), bench.now);
                    held -= 1;
                }
                Step::Leave | Step::Answer(_) => {}
                Step::Wait(millis) => bench.now += Duration::from_millis(millis),
            }
            prop_assert_eq!(bench.limiter.in_flight(), held);
            prop_assert!((RULES.floor..=RULES.ceiling).contains(&bench.limiter.limit()));
        }
        (0..held).for_each(|_| bench.limiter.leave());
        bench.load(FAST, 80);
        prop_assert_eq!(bench.limiter.limit(), RULES.ceiling);
    }
}
