//! The limits of sign-in: hashing, attempts, and refusals on record. Each has its reason.

use std::time::Duration;

/// The limit of a limiter: a leaky bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// The attempts that may be counted at once, at least one.
    pub(crate) burst: u32,
    /// The time after which one counted attempt is forgotten.
    pub(crate) interval: Duration,
}

/// Places in the queue for hashing, for each concurrent hash. One hash takes 25 to 80 ms of a core, so the last in the
/// queue waits 2 to 5 s: as long as a person waits for a page.
pub(crate) const QUEUE_PLACES: usize = 64;
/// The places that one client address may hold (an IPv4 address, an IPv6 /64), for each concurrent hash: a clinic
/// behind one address, of which nine people sign in within the same third of a second.
pub(crate) const CLIENT_PLACES: usize = 8;
/// The places that one IPv6 /48 may hold, for each concurrent hash: subscribers have a /56 or a /48, so that one of
/// them counts as at most four clients.
pub(crate) const SITE_PLACES: usize = 32;
/// The places, for each concurrent hash, that only clients may take of which a sign-in has succeeded on this instance: a
/// quarter, so that people sign in where they use to, however many addresses flood the rest.
pub(crate) const RESERVED_PLACES: usize = 16;
/// The clients that are remembered for it at least: more than a hospital's networks; at most twice as many, 1 MB.
pub(crate) const PROVEN_CLIENTS: usize = 10_000;
/// `Retry-After` of a sign-in without a place, in seconds: half of a full queue has been served by then.
pub(crate) const QUEUE_RETRY_AFTER: u32 = 2;

/// Concurrent hashes on this many cores. Argon2id takes 19 MiB and a whole core: half of the cores are left to requests
/// of people who have signed in.
pub(crate) fn concurrent_hashes(cores: usize) -> usize {
    (cores / 2).max(1)
}

/// Attempts for one account from one client address. Ten at once, since people mistype; then one in five minutes, 288 a
/// day: a password of NIST SP 800-63B's least length is out of reach of them.
pub(crate) const BY_ADDRESS: Limit = Limit {
    burst: 10,
    interval: Duration::from_mins(5),
};
/// Attempts for one account from all addresses from which it was not signed in to lately, together. A hundred is the
/// number of failures that NIST SP 800-63B allows; it takes ten addresses at once to use it up, or five for hours.
pub(crate) const BY_STRANGERS: Limit = Limit {
    burst: 100,
    interval: Duration::from_mins(1),
};
/// Limiters that this instance remembers: 5 MB. A full memory drops the half that is free first.
pub(crate) const REMEMBERED_LIMITERS: usize = 65_536;

/// The length of a period in which a sign-in from an address is evidence, in days. Evidence of the current period and
/// of three before it counts: from a month after the sign-in to ten days more.
pub(crate) const EVIDENCE_DAYS: i64 = 10;

/// The rows that one statement of the clean-up removes: some milliseconds of the database.
pub(crate) const CLEANUP_PAGE: u32 = 1_000;
/// The statements of one clean-up for each table, each minute: more rows than attempts that a minute can hash.
pub(crate) const CLEANUP_PAGES: u32 = 100;

/// Refused attempts of one client address that are recorded one by one, each minute: as many as of a caller.
pub(crate) const REFUSALS_PER_MINUTE: u32 = super::MAX_CALLER_REFUSALS_PER_MINUTE;
/// Refused attempts that an instance records one by one, each minute. An event takes 3.5 KB of the database: at most
/// 1.5 GB a day, while any number of addresses guess.
pub(crate) const REFUSALS_OF_ALL_PER_MINUTE: u32 = 300;
/// The time after which refusals that were only counted are recorded together: the wait of a throttled attempt.
pub(crate) const SUMMARY_INTERVAL: Duration = BY_ADDRESS.interval;
/// Summaries by account and client, and again as many by account alone: at most 2 GB of events a day. Beyond it, all
/// are counted together.
pub(crate) const SUMMARIES: usize = 1_000;
/// Waits and client addresses that are remembered, each: 1 MB. Beyond it, refusals are only counted.
pub(crate) const REMEMBERED_REFUSALS: usize = 10_000;
