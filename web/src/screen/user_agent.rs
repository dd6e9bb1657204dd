//! Screening of `User-Agent`, the only header of free text: products with versions, and comments
//! (RFC 9110, 10.1.5), in the slightly wider form that real clients send.

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::hash::RandomState;

use super::injection;
use crate::problem::Problem;
use crate::problem::Reason;

/// Maximum length of the value, in bytes: browsers embedded in apps send the longest, about 600.
const MAX_BYTES: usize = 1024;

/// Number of slots in each thread's cache: a search costs some microseconds, and most requests have
/// one of a few hundred values.
const CACHE_SLOTS: u64 = 256;

thread_local! {
    static HARMLESS: RefCell<HarmlessCache> = RefCell::new(HarmlessCache::default());
}

/// A direct-mapped cache of values that were searched and found harmless.
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

/// Checks the length and form of a value, and searches it for injected code.
///
/// # Errors
/// 400.
pub(super) fn check(agent: &[u8]) -> Result<(), Problem> {
    if HARMLESS.with_borrow(|known| known.contains(agent)) {
        return Ok(());
    }
    if injection::find(agent).is_some() {
        let detail = "a header contains text that looks like code";
        return Err(Problem::bad_request(detail).with_reason(Reason::Injection));
    }
    let plain = injection::percent_decoded(agent).filter(|plain| is_well_formed(plain));
    if agent.len() > MAX_BYTES || !agent.is_ascii() || plain.is_none() {
        return Err(Problem::bad_request("a header is malformed"));
    }
    HARMLESS.with_borrow_mut(|known| known.insert(agent));
    Ok(())
}

/// Whether a value is words, and comments in parentheses or brackets. A parenthesis directly after
/// a name is refused as a function call; after a version, or before a URL, it begins a comment.
/// Names of mobile apps are percent-encoded, and may be in any script.
fn is_well_formed(agent: &[u8]) -> bool {
    let mut depth = 0_u32;
    let mut in_version = false;
    let mut before = b' ';
    let mut rest = agent;
    while let Some((byte, after)) = rest.split_first() {
        let allowed = match byte {
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
        if !allowed {
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
