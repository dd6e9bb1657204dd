use std::time::Duration;

/// What the apps are given, and what they may take.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// From a request to the head of its answer, all attempts together. Less than what the
    /// listener lets a connection stand still for. The app is told what is left of it.
    pub(crate) total: Duration,
    /// From the first packet to the end of the handshake: two round trips and 3 ms of work.
    pub(crate) connect: Duration,
    /// How long an app may be silent in the midst of an answer that is waited for.
    pub(crate) stall: Duration,
    /// The least time after which a harmless request is also asked of another app. Longer than
    /// almost any answer takes, so that a healthy app is not asked twice.
    pub(crate) hedge_least: Duration,
    /// The most, however slow the apps have been: a person still waits.
    pub(crate) hedge_most: Duration,
    /// How long a connection waits for its next request: less than the app would wait.
    pub(crate) idle: Duration,
    /// How long a connection is used at all: a change of what we trust takes effect by then.
    pub(crate) age: Duration,
    /// How many threads have connections of their own.
    pub(crate) workers: usize,
    /// How many connections to an app wait, for each of them. An idle one holds some 10 KB here, and as much there.
    pub(crate) waiting: usize,
    /// How many requests an app is given at a time: what is beyond would only queue there.
    pub(crate) in_flight: usize,
    /// How many connections to an app are being made at a time.
    pub(crate) connecting: usize,
    /// The same for an app that is ejected, and is asked because all are.
    pub(crate) connecting_ejected: usize,
    /// From one question of an app's readiness to the next; a tenth of it is jitter.
    pub(crate) probe_every: Duration,
    /// How long the answer to that may take.
    pub(crate) probe: Duration,
    /// So many refusals to it in a row, and the app is ejected.
    pub(crate) probe_failures: u32,
    /// So many requests lost or overdue in a row, and the app is ejected. One that can't be
    /// connected to is ejected at once.
    pub(crate) failures: u32,
    /// How long an app stays ejected, at least: the first time, and doubled each time soon after.
    pub(crate) eject_least: Duration,
    /// See `eject_least`; with the next question, an app is back within 10 s of being well.
    pub(crate) eject_most: Duration,
    /// How often the file with the list of apps is looked at. A change is used at the second look
    /// that finds it, so that no half of it is.
    pub(crate) file_every: Duration,
    /// How often a name is resolved again.
    pub(crate) resolve_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(100),
            connect: Duration::from_millis(1500),
            stall: Duration::from_secs(100),
            hedge_least: Duration::from_secs(1),
            hedge_most: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            age: Duration::from_mins(5),
            workers: 0,
            waiting: 128,
            in_flight: 1024,
            connecting: 256,
            connecting_ejected: 64,
            probe_every: Duration::from_secs(1),
            probe: Duration::from_secs(1),
            probe_failures: 2,
            failures: 3,
            eject_least: Duration::from_millis(500),
            eject_most: Duration::from_secs(4),
            file_every: Duration::from_millis(500),
            resolve_every: Duration::from_secs(5),
        }
    }
}
