//! The stored form of search values: a format byte, the marks of incomplete sources, then each source with its values.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::Quantity;
use super::SearchValue;
use super::SearchValues;
use super::System;
use super::Token;
use crate::limits::MAX_SEARCH_VALUES_BYTES;
use crate::search::decimal::Decimal;
use crate::search::digest::Digest;
use crate::search::digest::KNOWN_SYSTEMS;
use crate::search::parameters::TypeName;
use crate::search::time_span::TimeSpan;

/// The format that this module writes.
pub(super) const FORMAT: u8 = 1;
/// The longest form of the marks: 64 bits, seven in each byte.
const MAX_MARKS: usize = 10;
/// The longest value other than a text, a quantity, and the head of its source.
const MAX_VALUE: usize = 64;
/// The longest URI that is stored as text: its digest has eight bytes.
const MAX_URI: usize = 8;
/// Values of a source that are stored before the longer lists of others.
const MAX_SHORT: usize = 8;
/// The number of values of a source that are stored: their count has one byte.
const MAX_VALUES: usize = 255;

/// The tags of values.
pub(super) mod tag {
    /// A token without a code; the system follows.
    pub(in super::super) const SYSTEM_ONLY: u8 = 0;
    /// A token with a code.
    pub(in super::super) const TOKEN: u8 = 1;
    /// The identifier of a reference, without a value.
    pub(in super::super) const IDENTIFIER_SYSTEM_ONLY: u8 = 2;
    /// The identifier of a reference.
    pub(in super::super) const IDENTIFIER: u8 = 3;
    /// A span of time.
    pub(in super::super) const TIME: u8 = 4;
    /// A span of time without a beginning.
    pub(in super::super) const TIME_UNTIL: u8 = 5;
    /// A span of time without an end.
    pub(in super::super) const TIME_FROM: u8 = 6;
    /// The owner.
    pub(in super::super) const OWNER: u8 = 7;
    /// A reference to a resource of this server.
    pub(in super::super) const LOCAL: u8 = 8;
    /// Another reference without a version.
    pub(in super::super) const OTHER: u8 = 9;
    /// Another reference with a version.
    pub(in super::super) const OTHER_VERSION: u8 = 10;
    /// A number.
    pub(in super::super) const NUMBER: u8 = 11;
    /// A text.
    pub(in super::super) const TEXT: u8 = 12;
    /// A URI.
    pub(in super::super) const URI: u8 = 13;
    /// The digest of a URI.
    pub(in super::super) const URI_DIGEST: u8 = 14;
    /// A span of time from the beginning of the calendar to its end.
    pub(in super::super) const TIME_ALL: u8 = 15;
    /// A quantity: this and the sum of its flags.
    pub(in super::super) const QUANTITY: u8 = 32;
    /// A flag of a range: it has a least value. A quantity that is no range has neither of these two.
    pub(in super::super) const LOW: u8 = 1;
    /// It has a greatest value.
    pub(in super::super) const HIGH: u8 = 2;
    /// It has a code, and a system before it.
    pub(in super::super) const CODE: u8 = 4;
    /// It has a unit, which is not the code.
    pub(in super::super) const UNIT: u8 = 8;
    /// Its unit is the same as its code.
    pub(in super::super) const SAME_UNIT: u8 = 16;
    /// A token that is a code of an implied system.
    pub(in super::super) const IMPLIED: u8 = 64;
    /// A token whose system is known: this and the system's index.
    pub(in super::super) const KNOWN: u8 = 128;
}

/// The bytes of a system.
pub(super) mod system {
    /// None.
    pub(in super::super) const NONE: u8 = 0;
    /// The implied one.
    pub(in super::super) const IMPLIED: u8 = 1;
    /// The digest follows.
    pub(in super::super) const DIGEST: u8 = 2;
    /// A known system: this and its index.
    pub(in super::super) const KNOWN: u8 = 3;
}

impl SearchValues {
    /// The stored form, at most [`MAX_SEARCH_VALUES_BYTES`] long. `owner` is the patient that owns the resource, whose
    /// id is not stored again.
    ///
    /// Values that do not fit are left out, those that are searched least first, and the search parameters concerned
    /// are marked as incomplete.
    #[must_use]
    pub fn encode(&self, owner: Option<Uuid>) -> Zeroizing<Vec<u8>> {
        let room = MAX_SEARCH_VALUES_BYTES.saturating_sub(1);
        if self.incomplete == 0 {
            // Most values fit without a mark.
            let (body, incomplete) = self.body(room.saturating_sub(1), owner);
            if incomplete == 0 {
                return finish(0, &body);
            }
        }
        let (body, incomplete) = self.body(room.saturating_sub(MAX_MARKS), owner);
        finish(incomplete, &body)
    }

    /// The sources with those values that fit, and the marks.
    fn body(&self, room: usize, owner: Option<Uuid>) -> (Zeroizing<Vec<u8>>, u64) {
        // A value is removed after it was written if it is too long: the buffer has room for it, because a buffer that
        // grows leaves a copy.
        let capacity = MAX_SEARCH_VALUES_BYTES.saturating_add(MAX_VALUE);
        let mut body = Zeroizing::new(Vec::with_capacity(capacity));
        let mut incomplete = self.incomplete;
        // A long list, such as the concepts of a code system, takes only the room that the other sources leave.
        let sources = || self.values.chunk_by(|(one, _), (other, _)| one == other);
        let short = sources().filter(|it| it.len() <= MAX_SHORT);
        let long = sources().filter(|it| it.len() > MAX_SHORT);
        for of_source in short.chain(long) {
            let Some((index, _)) = of_source.first() else {
                continue;
            };
            let head = body.len();
            body.extend([*index, 0]);
            let mut count = 0_u8;
            for (_, value) in of_source.iter().take(MAX_VALUES) {
                let end = body.len();
                if !write_value(&mut body, room, value, owner) || body.len() > room {
                    body.truncate(end);
                    break;
                }
                count = count.saturating_add(1);
            }
            if usize::from(count) < of_source.len() {
                incomplete |= 1_u64.checked_shl(u32::from(*index)).unwrap_or(u64::MAX);
            }
            if count == 0 {
                body.truncate(head);
            } else if let Some(byte) = body.get_mut(head.saturating_add(1)) {
                *byte = count;
            }
        }
        (body, incomplete)
    }
}

fn finish(incomplete: u64, body: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SEARCH_VALUES_BYTES));
    bytes.push(FORMAT);
    varint(&mut bytes, incomplete);
    bytes.extend_from_slice(body);
    bytes
}

/// Writes a value; false if it is too long, in which case nothing or a part of it was written.
fn write_value(out: &mut Vec<u8>, room: usize, value: &SearchValue, owner: Option<Uuid>) -> bool {
    match value {
        SearchValue::Token(token) => token_value(out, token),
        SearchValue::ReferenceIdentifier(token) => {
            tagged_token(out, [tag::IDENTIFIER, tag::IDENTIFIER_SYSTEM_ONLY], token);
        }
        SearchValue::Time(span) => time(out, *span),
        SearchValue::Local(name, id) => {
            let is_owner = Some(*id) == owner && TypeName::named("Patient") == Some(*name);
            if is_owner {
                out.push(tag::OWNER);
            } else {
                out.extend([tag::LOCAL, name.0]);
                out.extend_from_slice(id.as_bytes());
            }
        }
        SearchValue::Other { full, plain } if full == plain => {
            out.push(tag::OTHER);
            digest(out, *full);
        }
        SearchValue::Other { full, plain } => {
            out.push(tag::OTHER_VERSION);
            digest(out, *full);
            digest(out, *plain);
        }
        SearchValue::Quantity(value) => quantity(out, value),
        SearchValue::Number(number) => {
            out.push(tag::NUMBER);
            decimal(out, *number);
        }
        SearchValue::Text(value) => return text(out, room, tag::TEXT, value.sent()),
        SearchValue::Uri(uri) if uri.len() <= MAX_URI => return text(out, room, tag::URI, uri),
        SearchValue::Uri(uri) => {
            out.push(tag::URI_DIGEST);
            digest(out, Digest::of(uri));
        }
        SearchValue::UriDigest(of_uri) => {
            out.push(tag::URI_DIGEST);
            digest(out, *of_uri);
        }
    }
    true
}

fn token_value(out: &mut Vec<u8>, token: &Token) {
    let known = match token.system {
        System::None => None,
        System::Implied => Some(tag::IMPLIED),
        System::Is(of_system) => known_system(of_system).map(|at| at.saturating_add(tag::KNOWN)),
    };
    if let (Some(known), Some(code)) = (known, token.code) {
        out.push(known);
        digest(out, code);
    } else {
        tagged_token(out, [tag::TOKEN, tag::SYSTEM_ONLY], token);
    }
}

fn tagged_token(out: &mut Vec<u8>, [with_code, without]: [u8; 2], token: &Token) {
    out.push(if token.code.is_some() {
        with_code
    } else {
        without
    });
    match token.system {
        System::None => out.push(system::NONE),
        System::Implied => out.push(system::IMPLIED),
        System::Is(of_system) => write_system(out, of_system),
    }
    if let Some(code) = token.code {
        digest(out, code);
    }
}

fn write_system(out: &mut Vec<u8>, of_system: Digest) {
    if let Some(at) = known_system(of_system) {
        out.push(at.saturating_add(system::KNOWN));
    } else {
        out.push(system::DIGEST);
        digest(out, of_system);
    }
}

/// The index of a known system.
fn known_system(of_system: Digest) -> Option<u8> {
    let at = super::decode::known_digests()
        .iter()
        .position(|known| *known == of_system)?;
    u8::try_from(at).ok()
}

fn time(out: &mut Vec<u8>, span: TimeSpan) {
    let length = || span.last.saturating_sub(span.first);
    match (span.first == i64::MIN, span.last == i64::MAX) {
        (true, true) => out.push(tag::TIME_ALL),
        (true, false) => {
            out.push(tag::TIME_UNTIL);
            signed(out, span.last);
        }
        (false, true) => {
            out.push(tag::TIME_FROM);
            signed(out, span.first);
        }
        (false, false) => {
            out.push(tag::TIME);
            signed(out, span.first);
            // A period may end before it begins.
            signed(out, length());
        }
    }
}

fn quantity(out: &mut Vec<u8>, value: &Quantity) {
    let begin = out.len();
    let mut flags = tag::QUANTITY;
    out.push(flags);
    // Without a flag, the least value is the greatest.
    if value.low != value.high {
        flags |= value.low.map_or(0, |_| tag::LOW) | value.high.map_or(0, |_| tag::HIGH);
    }
    let high = value.high.filter(|_| value.low != value.high);
    for number in value.low.into_iter().chain(high) {
        decimal(out, number);
    }
    if value.code.is_some() || value.system.is_some() {
        flags |= tag::CODE;
        match value.system {
            Some(of_system) => write_system(out, of_system),
            None => out.push(system::NONE),
        }
        out.push(u8::from(value.code.is_some()));
        if let Some(code) = value.code {
            out.extend(code.0.to_be_bytes());
        }
    }
    match value.unit {
        Some(_) if value.unit == value.code => flags |= tag::SAME_UNIT,
        Some(unit) => {
            flags |= tag::UNIT;
            out.extend(unit.0.to_be_bytes());
        }
        None => {}
    }
    if let Some(byte) = out.get_mut(begin) {
        *byte = flags;
    }
}

/// Writes a text unless it is longer than the room; the buffer is not reallocated.
fn text(out: &mut Vec<u8>, room: usize, tag: u8, text: &str) -> bool {
    let Ok(length) = u8::try_from(text.len()) else {
        return false;
    };
    if out.len().saturating_add(text.len()).saturating_add(2) > room {
        return false;
    }
    out.extend([tag, length]);
    out.extend_from_slice(text.as_bytes());
    true
}

fn digest(out: &mut Vec<u8>, digest: Digest) {
    out.extend(digest.0.to_be_bytes());
}

fn decimal(out: &mut Vec<u8>, number: Decimal) {
    signed(out, i64::from(number.exponent));
    signed(out, number.mantissa);
}

fn signed(out: &mut Vec<u8>, number: i64) {
    let magnitude = if number < 0 { !number } else { number };
    let doubled = magnitude.unsigned_abs().wrapping_shl(1);
    varint(out, doubled | u64::from(number < 0));
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// The number of known systems has room in a tag.
const _: () = assert!(KNOWN_SYSTEMS.len() <= 127);
