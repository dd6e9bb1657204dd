//! The codes of a Patient, and which of its elements are present, as a set of bits.

use serde_json::Value;
use zeroize::Zeroize;

use super::is;
use super::items;

/// A set of codes and of elements that are present.
///
/// The bits are sealed in roster entries: a bit never changes its meaning.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PatientFlags(u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl PatientFlags {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
        }
    };
}

flags! {
    /// `gender` is `male`.
    MALE = 0;
    /// `gender` is `female`.
    FEMALE = 1;
    /// `gender` is `other`.
    OTHER_GENDER = 2;
    /// `gender` is `unknown`.
    UNKNOWN_GENDER = 3;
    /// `active` is true.
    ACTIVE = 4;
    /// `active` is false.
    INACTIVE = 5;
    /// `deceased[x]` is true or a time.
    DECEASED = 6;
    /// `deceased[x]` is false or absent.
    ALIVE = 7;
    /// An address has the use `home`.
    HOME = 8;
    /// An address has the use `work`.
    WORK = 9;
    /// An address has the use `temp`.
    TEMPORARY = 10;
    /// An address has the use `old`.
    OLD = 11;
    /// An address has the use `billing`.
    BILLING = 12;
    /// There is an identifier.
    HAS_IDENTIFIER = 13;
    /// There is a contact point.
    HAS_TELECOM = 14;
    /// There is a telephone number.
    HAS_PHONE = 15;
    /// There is an e-mail address.
    HAS_EMAIL = 16;
    /// There is a family name.
    HAS_FAMILY = 17;
    /// There is a given name.
    HAS_GIVEN = 18;
    /// There is a name.
    HAS_NAME = 19;
    /// There is a birth date.
    HAS_BIRTH_DATE = 20;
    /// There is an address.
    HAS_ADDRESS = 21;
    /// An address has a city.
    HAS_CITY = 22;
    /// An address has a state.
    HAS_STATE = 23;
    /// An address has a postal code.
    HAS_POSTAL_CODE = 24;
    /// An address has a country.
    HAS_COUNTRY = 25;
    /// There is a general practitioner.
    HAS_PRACTITIONER = 26;
    /// There is a managing organization.
    HAS_ORGANIZATION = 27;
    /// There is a language of communication.
    HAS_LANGUAGE = 28;
    /// There is a link to another person's record.
    HAS_LINK = 29;
    /// There is a time of death.
    HAS_DEATH_DATE = 30;
}

impl PatientFlags {
    /// No flag.
    pub const NONE: Self = Self(0);

    /// The flags of a Patient.
    pub(super) fn of(patient: &Value) -> Self {
        Self::codes(patient)
            .union(Self::addresses(patient))
            .union(Self::elements(patient))
    }

    /// The flags with these bits, which [`Self::bits`] returned.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & (u32::MAX >> 1))
    }

    /// The bits. The highest one is never set.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The flags of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets have a flag in common.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn only_if(self, is_set: bool) -> Self {
        if is_set { self } else { Self::NONE }
    }

    fn codes(patient: &Value) -> Self {
        let gender = match patient.get("gender").and_then(Value::as_str) {
            Some("male") => Self::MALE,
            Some("female") => Self::FEMALE,
            Some("other") => Self::OTHER_GENDER,
            Some("unknown") => Self::UNKNOWN_GENDER,
            Some(_) | None => Self::NONE,
        };
        let active = match patient.get("active") {
            Some(Value::Bool(true)) => Self::ACTIVE,
            Some(Value::Bool(false)) => Self::INACTIVE,
            Some(_) | None => Self::NONE,
        };
        let died = patient.get("deceasedDateTime").is_some();
        let deceased = if died || patient.get("deceasedBoolean") == Some(&Value::Bool(true)) {
            Self::DECEASED
        } else {
            Self::ALIVE
        };
        gender.union(active).union(deceased)
    }

    fn addresses(patient: &Value) -> Self {
        items(patient, "address").fold(Self::NONE, |flags, address| {
            let used = match address.get("use").and_then(Value::as_str) {
                Some("home") => Self::HOME,
                Some("work") => Self::WORK,
                Some("temp") => Self::TEMPORARY,
                Some("old") => Self::OLD,
                Some("billing") => Self::BILLING,
                Some(_) | None => Self::NONE,
            };
            let parts = [
                ("city", Self::HAS_CITY),
                ("state", Self::HAS_STATE),
                ("postalCode", Self::HAS_POSTAL_CODE),
                ("country", Self::HAS_COUNTRY),
            ];
            parts
                .into_iter()
                .fold(flags.union(used), |flags, (name, flag)| {
                    flags.union(flag.only_if(address.get(name).is_some()))
                })
        })
    }

    fn elements(patient: &Value) -> Self {
        let has = |name| patient.get(name).is_some();
        let within = |list, name| items(patient, list).any(|item| item.get(name).is_some());
        let contact = |system| items(patient, "telecom").any(|it| is(it, "system", system));
        [
            (Self::HAS_IDENTIFIER, has("identifier")),
            (Self::HAS_TELECOM, has("telecom")),
            (Self::HAS_PHONE, contact("phone")),
            (Self::HAS_EMAIL, contact("email")),
            (Self::HAS_FAMILY, within("name", "family")),
            (Self::HAS_GIVEN, within("name", "given")),
            (Self::HAS_NAME, has("name")),
            (Self::HAS_BIRTH_DATE, has("birthDate")),
            (Self::HAS_ADDRESS, has("address")),
            (Self::HAS_PRACTITIONER, has("generalPractitioner")),
            (Self::HAS_ORGANIZATION, has("managingOrganization")),
            (Self::HAS_LANGUAGE, within("communication", "language")),
            (Self::HAS_LINK, within("link", "other")),
            (Self::HAS_DEATH_DATE, has("deceasedDateTime")),
        ]
        .into_iter()
        .fold(Self::NONE, |flags, (flag, is_set)| {
            flags.union(flag.only_if(is_set))
        })
    }
}

impl Zeroize for PatientFlags {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

// The codes are PHI.
impl std::fmt::Debug for PatientFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PatientFlags([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_and_present_elements_are_flags() {
        let flags = PatientFlags::of(&json!({
            "gender": "female", "active": false, "deceasedDateTime": "2020",
            "address": [{"use": "home", "city": "C"}, {"use": "old"}],
            "telecom": [{"system": "fax"}], "name": [{"given": ["A"]}]
        }));
        let expected = [
            PatientFlags::FEMALE,
            PatientFlags::INACTIVE,
            PatientFlags::DECEASED,
            PatientFlags::HAS_DEATH_DATE,
            PatientFlags::HOME,
            PatientFlags::OLD,
            PatientFlags::HAS_ADDRESS,
            PatientFlags::HAS_CITY,
            PatientFlags::HAS_TELECOM,
            PatientFlags::HAS_NAME,
            PatientFlags::HAS_GIVEN,
        ];
        let expected = expected
            .into_iter()
            .fold(PatientFlags::NONE, PatientFlags::union);
        assert_eq!(flags, expected);
        assert_eq!(PatientFlags::from_bits(flags.bits()), flags);
        assert_eq!(PatientFlags::of(&json!({})), PatientFlags::ALIVE);
        let alive = PatientFlags::of(&json!({"deceasedBoolean": false}));
        assert_eq!(alive, PatientFlags::ALIVE);
    }
}
