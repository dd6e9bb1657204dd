//! `User-Agent`, the one header that is text: programs with their versions, and comments (RFC 9110,
//! 10.1.5), as real ones write them, which is a little wider.

use std::{
    cell::RefCell,
    hash::{BuildHasher, RandomState},
};

use super::injection;
use crate::problem::{Problem, Reason};

/// The browsers that run inside of other apps write the longest, of about 600.
const MAX_BYTES: usize = 1024;

/// So many are remembered by each thread: a search costs some microseconds, and the same few
/// hundred programs ask again and again.
const CACHE_SLOTS: u64 = 256;

thread_local! {
    static HARMLESS: RefCell<HarmlessCache> = RefCell::new(HarmlessCache::default());
}

/// What was searched and found harmless; each has one place, which the next with the same hash
/// takes.
#[derive(Default)]
struct HarmlessCache {
    hash: RandomState,
    slots: Vec<Box<[u8]>>,
}

impl HarmlessCache {
    fn slot(&self, agent: &[u8]) -> usize {
        usize::try_from(self.hash.hash_one(agent) % CACHE_SLOTS).unwrap_or_default()
    }

    fn contains(&self, agent: &[u8]) -> bool {
        let slot = self.slots.get(self.slot(agent));
        slot.is_some_and(|known| **known == *agent)
    }

    fn insert(&mut self, agent: &[u8]) {
        let slot = self.slot(agent);
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, Box::default);
        }
        if let Some(known) = self.slots.get_mut(slot) {
            *known = agent.into();
        }
    }
}

/// Of its form, not too long, and nothing in it that looks like code.
pub(super) fn check(agent: &[u8]) -> Result<(), Problem> {
    if HARMLESS.with_borrow(|known| known.contains(agent)) {
        return Ok(());
    }
    if injection::find(agent).is_some() {
        let detail = "a header holds what looks like code";
        return Err(Problem::bad_request(detail).with_reason(Reason::Injection));
    }
    let plain = injection::percent_decoded(agent).filter(|plain| is_well_formed(plain));
    if agent.len() > MAX_BYTES || !agent.is_ascii() || plain.is_none() {
        return Err(Problem::bad_request("a header is not in its form"));
    }
    HARMLESS.with_borrow_mut(|known| known.insert(agent));
    Ok(())
}

/// Words, and comments between parentheses or brackets. What follows a name at once, as in a call of
/// a function, is no comment; what follows a version at once is, and an address. Names of apps come
/// percent-encoded, and may then be in any script.
fn is_well_formed(agent: &[u8]) -> bool {
    let mut depth = 0_u32;
    let mut in_version = false;
    let mut before = b' ';
    let mut rest = agent;
    while let Some((byte, after)) = rest.split_first() {
        let sound = match byte {
            b'(' | b'[' => {
                let begins = depth > 0
                    || b" +_".contains(&before)
                    || after.starts_with(b"http")
                    || (in_version && before.is_ascii_digit());
                depth += 1;
                begins
            }
            b')' | b']' if depth > 0 => {
                depth -= 1;
                true
            }
            b';' => depth > 0 || before.is_ascii_alphanumeric() || before == b')',
            b'=' | b'?' | b'&' | b'#' | b'{' | b'}' => depth > 0,
            b'\'' => {
                before.is_ascii_alphabetic() && after.first().is_some_and(u8::is_ascii_alphabetic)
            }
            other => is_plain(*other),
        };
        if !sound {
            return false;
        }
        in_version = *byte != b' ' && (in_version || *byte == b'/');
        before = *byte;
        rest = after;
    }
    true
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || b" /.-_+:,!~@".contains(&byte)
}
