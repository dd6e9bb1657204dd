//! Reading the stored form of search values.

use std::sync::LazyLock;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::Quantity;
use super::SearchValue;
use super::SearchValues;
use super::SearchedText;
use super::System;
use super::Token;
use super::UnitDigest;
use super::encode::FORMAT;
use super::encode::system;
use super::encode::tag;
use crate::ResourceType;
use crate::search::decimal::Decimal;
use crate::search::digest::Digest;
use crate::search::digest::KNOWN_SYSTEMS;
use crate::search::parameters::TypeName;
use crate::search::time_span::TimeSpan;

/// The digests of the known systems.
pub(super) fn known_digests() -> &'static [Digest] {
    static DIGESTS: LazyLock<Vec<Digest>> = LazyLock::new(|| {
        KNOWN_SYSTEMS
            .iter()
            .map(|system| Digest::of(system))
            .collect()
    });
    &DIGESTS
}

impl SearchValues {
    /// Reads what [`Self::encode`] has written, for a resource of the same type and owner; `None` for other bytes and
    /// for a format of another version: the resource has to be opened.
    #[must_use]
    pub fn decode(resource_type: ResourceType, bytes: &[u8], owner: Option<Uuid>) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.byte()? != FORMAT {
            return None;
        }
        let mut values = Self::empty(resource_type);
        values.incomplete = reader.varint()?;
        let mut seen = 0_u64;
        while !reader.0.is_empty() {
            let index = reader.byte()?;
            let bit = 1_u64.checked_shl(u32::from(index))?;
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
            for _ in 0..reader.byte()? {
                values.values.push((index, reader.value(owner)?));
            }
        }
        // Long lists are written last; the sort keeps the order of each.
        values.values.sort_by_key(|(index, _)| *index);
        Some(values)
    }
}

/// The bytes that are not read yet.
struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn value(&mut self, owner: Option<Uuid>) -> Option<SearchValue> {
        let tag = self.byte()?;
        Some(match tag {
            tag::SYSTEM_ONLY | tag::TOKEN => SearchValue::Token(self.token(tag == tag::TOKEN)?),
            tag::IDENTIFIER_SYSTEM_ONLY | tag::IDENTIFIER => {
                SearchValue::ReferenceIdentifier(self.token(tag == tag::IDENTIFIER)?)
            }
            tag::TIME | tag::TIME_UNTIL | tag::TIME_FROM | tag::TIME_ALL => {
                SearchValue::Time(self.time(tag)?)
            }
            tag::OWNER => SearchValue::Local(TypeName::named("Patient")?, owner?),
            tag::LOCAL => {
                let name = TypeName(self.byte()?);
                SearchValue::Local(name, Uuid::from_bytes(self.array()?))
            }
            tag::OTHER => {
                let full = self.digest()?;
                SearchValue::Other { full, plain: full }
            }
            tag::OTHER_VERSION => SearchValue::Other {
                full: self.digest()?,
                plain: self.digest()?,
            },
            tag::NUMBER => SearchValue::Number(self.decimal()?),
            tag::TEXT => SearchValue::Text(SearchedText::new(self.text()?)),
            tag::URI => SearchValue::Uri(Zeroizing::new(self.text()?.to_owned())),
            tag::URI_DIGEST => SearchValue::UriDigest(self.digest()?),
            tag::IMPLIED => SearchValue::Token(Token {
                system: System::Implied,
                code: Some(self.digest()?),
            }),
            _ if tag >= tag::KNOWN => {
                let known = known_digests().get(usize::from(tag & 0x7f))?;
                SearchValue::Token(Token {
                    system: System::Is(*known),
                    code: Some(self.digest()?),
                })
            }
            _ if (tag::QUANTITY..tag::IMPLIED).contains(&tag) => {
                SearchValue::Quantity(self.quantity(tag)?)
            }
            _ => return None,
        })
    }

    fn token(&mut self, has_code: bool) -> Option<Token> {
        let system = self.system()?;
        let code = if has_code { Some(self.digest()?) } else { None };
        Some(Token { system, code })
    }

    fn system(&mut self) -> Option<System> {
        Some(match self.byte()? {
            system::NONE => System::None,
            system::IMPLIED => System::Implied,
            system::DIGEST => System::Is(self.digest()?),
            known => {
                let at = usize::from(known.checked_sub(system::KNOWN)?);
                System::Is(*known_digests().get(at)?)
            }
        })
    }

    fn time(&mut self, tag: u8) -> Option<TimeSpan> {
        let mut span = TimeSpan {
            first: i64::MIN,
            last: i64::MAX,
        };
        match tag {
            tag::TIME => {
                span.first = self.signed()?;
                span.last = span.first.checked_add(self.signed()?)?;
            }
            tag::TIME_UNTIL => span.last = self.signed()?,
            tag::TIME_FROM => span.first = self.signed()?,
            _ => {}
        }
        Some(span)
    }

    fn quantity(&mut self, flags: u8) -> Option<Quantity> {
        let has = |flag: u8| flags & flag != 0;
        let (low, high) = match (has(tag::LOW), has(tag::HIGH)) {
            (false, false) => {
                let exact = Some(self.decimal()?);
                (exact, exact)
            }
            (true, false) => (Some(self.decimal()?), None),
            (false, true) => (None, Some(self.decimal()?)),
            (true, true) => (Some(self.decimal()?), Some(self.decimal()?)),
        };
        let (mut of_system, mut code) = (None, None);
        if has(tag::CODE) {
            of_system = match self.system()? {
                System::Is(digest) => Some(digest),
                System::None | System::Implied => None,
            };
            if self.byte()? == 1 {
                code = Some(self.unit()?);
            }
        }
        let unit = match (has(tag::SAME_UNIT), has(tag::UNIT)) {
            (true, _) => code,
            (false, true) => Some(self.unit()?),
            (false, false) => None,
        };
        Some(Quantity {
            low,
            high,
            system: of_system,
            code,
            unit,
        })
    }

    fn unit(&mut self) -> Option<UnitDigest> {
        Some(UnitDigest(u32::from_be_bytes(self.array()?)))
    }

    fn text(&mut self) -> Option<&str> {
        let length = usize::from(self.byte()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn digest(&mut self) -> Option<Digest> {
        Some(Digest(u64::from_be_bytes(self.array()?)))
    }

    fn decimal(&mut self) -> Option<Decimal> {
        let exponent = i16::try_from(self.signed()?).ok()?;
        let mantissa = self.signed()?;
        Some(Decimal { mantissa, exponent })
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.varint()?;
        let magnitude = i64::try_from(number >> 1).ok()?;
        Some(if number & 1 == 1 {
            !magnitude
        } else {
            magnitude
        })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
}
