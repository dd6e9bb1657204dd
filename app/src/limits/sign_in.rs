//! Limits of sign-in, each with its reason: password hashing, attempts, and recorded refusals.

use std::time::Duration;

/// A rate limit, as a leaky bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateLimit {
    /// The number of attempts that may be counted at once, at least one.
    pub(crate) burst: u32,
    /// The time after which one counted attempt is forgotten.
    pub(crate) interval: Duration,
}

/// Maximum queued requests, for each concurrent hash. One hash takes 25 to 80 ms of a core, so the
/// last request of a full queue waits 2 to 5 s: as long as a person waits for a page.
pub(crate) const MAX_QUEUED: usize = 64;
/// Maximum queued requests of one client address (an IPv4 address, an IPv6 /64), for each
/// concurrent hash: enough for a clinic behind one address of which nine people sign in within the
/// same third of a second.
pub(crate) const MAX_QUEUED_PER_CLIENT: usize = 8;
/// Maximum queued requests of one IPv6 /48, for each concurrent hash. Subscribers have a /56 or a
/// /48, so that one of them counts as at most four clients.
pub(crate) const MAX_QUEUED_PER_SITE: usize = 32;
/// The part of the queue, for each concurrent hash, that is reserved for known clients: those of
/// which a sign-in has succeeded on this instance. A quarter, so that people can sign in from their
/// usual networks while any number of addresses floods the rest.
pub(crate) const RESERVED_FOR_KNOWN_CLIENTS: usize = 16;
/// Minimum number of known clients that are remembered: more than a hospital has networks. The
/// maximum is twice as many, 1 MB.
pub(crate) const MIN_KNOWN_CLIENTS: usize = 10_000;
/// `Retry-After` of a sign-in that finds the queue full, in seconds: half of a full queue has been
/// served by then.
pub(crate) const QUEUE_RETRY_AFTER_SECONDS: u32 = 2;

/// Maximum number of concurrent hashes on a machine with this many cores. Argon2id takes 19 MiB and
/// a whole core: half of the cores are left to requests of signed-in callers.
pub(crate) fn concurrent_hashes(cores: usize) -> usize {
    (cores / 2).max(1)
}

/// Rate limit of attempts for one account from one client address. Ten at once, since people
/// mistype; then one in five minutes, 288 a day: too few to guess a password of NIST SP 800-63B's
/// minimum length.
pub(crate) const LIMIT_BY_ADDRESS: RateLimit = RateLimit {
    burst: 10,
    interval: Duration::from_mins(5),
};
/// Rate limit of attempts for one account from all unknown addresses together: those without a
/// recent sign-in to it. A hundred is the number of failures that NIST SP 800-63B allows. Ten
/// addresses exhaust it at once, six in a little more than three hours (`6 × (10 + t/5) − t ≥ 100`
/// minutes `t`), five never.
pub(crate) const LIMIT_BY_UNKNOWN_ADDRESSES: RateLimit = RateLimit {
    burst: 100,
    interval: Duration::from_mins(1),
};
/// Rate limit of codes of authenticator apps for one account that are sent beside the right password and are wrong. Three of a
/// million codes are accepted at a time: thirty, and then five a day, guess one in centuries. Recovery codes are accepted
/// beyond it, so that an attacker with the password does not lock out the owner.
pub(crate) const LIMIT_BY_CODE: RateLimit = RateLimit {
    burst: 30,
    interval: Duration::from_mins(288),
};
/// Rate limit of signatures, by machine clients and by passkeys, from one client address that are refused. Keys are not guessed, so that it only
/// bounds the work: an attempt takes a millisecond, and some statements of the database. Sixty at once, for all clients behind
/// one address after a restart with a wrong clock; then one a second.
pub(crate) const LIMIT_BY_SIGNATURE: RateLimit = RateLimit {
    burst: 60,
    interval: Duration::from_secs(1),
};
/// Maximum number of limiters in the memory of this instance: 5 MB. At the maximum, the half that
/// drains first is dropped.
pub(crate) const MAX_LOCAL_LIMITERS: usize = 65_536;

/// Minimum length of a password that is used alone, in characters (NIST SP 800-63B-4, 3.1.1.2).
pub(crate) const MIN_PASSWORD_ALONE: usize = 15;
/// Minimum length of a password beside a second factor, in characters (the same).
pub(crate) const MIN_PASSWORD: usize = 8;
/// Maximum length of a password, in bytes: more than the 64 characters that NIST SP 800-63B-4 requires, in any script.
pub(crate) const MAX_PASSWORD_BYTES: usize = 1024;
/// Maximum length of an e-mail address, in bytes (RFC 5321, 4.5.3.1.3, without the angle brackets).
pub(crate) const MAX_EMAIL_BYTES: usize = 254;
/// The time for which a set-up code is accepted: three days, so that one that is given on a Friday works on Monday.
pub(crate) const SET_UP_CODE_LIFETIME: time::Duration = time::Duration::days(3);
/// Maximum number of sessions and tokens of a person that are listed.
pub(crate) const MAX_LISTED_SESSIONS: u32 = 100;

/// The lifetime of an authenticator app that is not confirmed.
pub(crate) const UNCONFIRMED_LIFETIME: time::Duration = time::Duration::minutes(15);
/// Maximum number of authenticator apps and passkeys of a person: a few devices.
pub(crate) const MAX_DEVICES: u32 = 10;
/// The number of recovery codes that are made at once, and the maximum of a person: as many as fit on a note.
pub(crate) const RECOVERY_CODES: u32 = 10;

/// Length of an evidence period, in days. A sign-in from an address is evidence in its own period
/// and in the three after it: for 30 to 40 days.
pub(crate) const EVIDENCE_PERIOD_DAYS: i64 = 10;

/// Maximum rows that one statement of the clean-up removes: some milliseconds of the database.
pub(crate) const CLEANUP_ROWS_PER_STATEMENT: u32 = 1_000;
/// Maximum statements of the clean-up for each table, each minute: more rows than a minute's hashes
/// can add.
pub(crate) const MAX_CLEANUP_STATEMENTS: u32 = 100;

/// Maximum refused attempts of one client address that are recorded individually, per minute: as
/// many as of a caller.
pub(crate) const MAX_CLIENT_REFUSALS_PER_MINUTE: u32 = super::MAX_CALLER_REFUSALS_PER_MINUTE;
/// Maximum refused attempts that an instance records individually, per minute. An event takes 3.5
/// KB of the database: at most 1.5 GB a day, while any number of addresses guesses.
pub(crate) const MAX_REFUSALS_PER_MINUTE: u32 = 300;
/// Interval at which refusals that were only counted are recorded as summaries: the wait of a
/// throttled attempt.
pub(crate) const SUMMARY_INTERVAL: Duration = LIMIT_BY_ADDRESS.interval;
/// Maximum summaries by account and client, and as many by account alone: at most 2 GB of events a
/// day. Further refusals are counted together.
pub(crate) const MAX_SUMMARIES: usize = 1_000;
/// Maximum waits, and maximum client addresses, that are tracked: 1 MB each. Further refusals are
/// only counted.
pub(crate) const MAX_TRACKED_REFUSALS: usize = 10_000;
