//! The audit event and its codes.

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// An audit event: one access to records, or one decision about access (45 CFR 164.312(b), 164.528).
///
/// Every field but the records is a *header field*: a part of its own in the event's commitment,
/// labelled with the field's name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Event {
    /// The time, in UTC. The encoding truncates it to microseconds.
    #[serde(with = "timestamp")]
    pub at: OffsetDateTime,
    /// The request id, which the logs of both tiers contain, too.
    pub request: Uuid,
    /// The organization that the event's records belong to, and whose log it enters.
    pub organization: Uuid,
    /// The person; for a refused sign-in, the one whose account it concerns. Absent if there is no such account.
    pub person: Option<Uuid>,
    /// The person's role.
    pub role: Option<String>,
    /// The id of the session or bearer token that the request was made under.
    pub session: Option<Uuid>,
    /// The method by which that session or token was authenticated.
    pub assurance: Option<Assurance>,
    /// A keyed pseudonym of the client's address, in hex.
    pub source: Option<String>,
    /// The action, done or attempted.
    pub action: Action,
    /// The result of the action.
    pub outcome: Outcome,
    /// The reason for the access (HL7 v3 `PurposeOfUse`).
    pub purpose: PurposeOfUse,
    /// The number of further refusals that this event represents ("and n more"), or of matches that a search counted and
    /// the event does not name.
    pub suppressed: Option<u32>,
    /// The records concerned, in the order of access.
    pub records: Vec<RecordReference>,
}

/// The identity of a record, without its content.
// The fields are in the order of their names: the encoding takes the member order of RFC 8785 from here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct RecordReference {
    /// The record's id; absent for an access to the kind as a whole.
    pub id: Option<Uuid>,
    /// The FHIR resource type, or another kind of record in lower case (`person`, `audit`).
    pub kind: String,
    /// The patient that the record belongs to, for the accounting of disclosures.
    pub patient: Option<Uuid>,
    /// The version read or written; absent for records without versions.
    pub version: Option<u32>,
}

/// The method by which a session or token was authenticated (NIST SP 800-63B).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Assurance {
    /// A password alone.
    Password,
    /// A password and a one-time code.
    PasswordAndCode,
    /// A passkey with user verification.
    Passkey,
    /// A bearer token that was issued for a password.
    Token,
    /// A signed assertion of a machine client (RFC 7523).
    ClientAssertion,
    /// A method that this release does not know. Decoded, and never written.
    #[serde(other)]
    Unknown,
}

/// An action, done or attempted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A person signed in.
    SignIn,
    /// A person signed out, or a token was revoked by its holder.
    SignOut,
    /// A bearer token was issued.
    IssueToken,
    /// Records were created or amended.
    Write,
    /// Records were disclosed one by one.
    Read,
    /// Records were disclosed as a list.
    List,
    /// Records were disclosed as the result of a search.
    Search,
    /// Records were disclosed as a file of a bulk export, or an export was requested, listed or removed.
    Export,
    /// An organization, a person or a client was set up or changed by an operator.
    Provision,
    /// A person's password or authenticators were set up, changed or removed.
    ChangeCredential,
    /// A person was added to a patient's care team, or removed.
    ChangeCareTeam,
    /// A person opened a chart outside its care team, in an emergency.
    BreakGlass,
    /// An emergency access was reviewed.
    Review,
    /// The digests of stored rows were repeated in a newer part of the log.
    Attest,
    /// A key was made, rotated, retired or destroyed.
    KeyOperation,
    /// An upgrade was finished: the release floor was raised, so that builds of earlier releases stopped writing.
    FinishUpgrade,
    /// A stored row, value or event was found to have been altered outside this stack.
    Tampering,
    /// An action of the build that the upgrade test runs beside this one.
    #[cfg(feature = "next-release")]
    NextRelease,
    /// An action that this release does not know. Decoded, and never written.
    #[serde(other)]
    Unknown,
}

/// The result of an action.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Done.
    Success,
    /// Done, except for records that could not be opened or are hidden. The event names what was disclosed; an
    /// event of the same request with the outcome `failed` names the records that are known and were not.
    Partial,
    /// Refused: the access policy does not allow it.
    Refused,
    /// The organization has no such record.
    NotFound,
    /// Allowed, but not done because of an error.
    Failed,
    /// A result that this release does not know. Decoded, and never written.
    #[serde(other)]
    Unknown,
}

/// A reason for access: codes of HL7 v3 `PurposeOfUse` (2.16.840.1.113883.5.8).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
pub enum PurposeOfUse {
    /// Treatment.
    #[serde(rename = "TREAT")]
    Treatment,
    /// Healthcare operations.
    #[serde(rename = "HOPERAT")]
    Operations,
    /// Access outside the care team, in an emergency.
    #[serde(rename = "BTG")]
    BreakGlass,
    /// Payment.
    #[serde(rename = "HPAYMT")]
    Payment,
    /// System administration.
    #[serde(rename = "HSYSADMIN")]
    Administration,
    /// A patient's request about the patient's own records.
    #[serde(rename = "PATRQT")]
    PatientRequest,
    /// A reason that this release does not know. Decoded, and never written.
    #[serde(other, rename = "unknown")]
    Unknown,
}

impl Event {
    /// Whether this release knows every code of the event. An unknown code was written by a later release; encoded
    /// again, the event would be another one.
    pub(crate) fn is_known(&self) -> bool {
        self.action != Action::Unknown
            && self.outcome != Outcome::Unknown
            && self.purpose != PurposeOfUse::Unknown
            && self.assurance != Some(Assurance::Unknown)
    }
}

/// The text form of an event's time: RFC 3339 in UTC with exactly six decimals.
pub(crate) mod timestamp {
    use serde::Deserialize as _;
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de;
    use serde::ser;
    use time::OffsetDateTime;
    use time::PrimitiveDateTime;
    use time::UtcOffset;
    use time::format_description::BorrowedFormatItem;
    use time::macros::format_description;

    const FORMAT: &[BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

    pub(crate) fn serialize<S: Serializer>(
        at: &OffsetDateTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let at = at.to_offset(UtcOffset::UTC);
        if !(0..=9999).contains(&at.year()) {
            return Err(ser::Error::custom("a time outside the years 0 to 9999"));
        }
        let text = at.format(FORMAT).map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<OffsetDateTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        PrimitiveDateTime::parse(&text, FORMAT)
            .map(PrimitiveDateTime::assume_utc)
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::samples::event;

    #[test]
    fn a_time_is_written_in_utc_with_six_decimals() {
        let event = Event {
            at: datetime!(2026-11-23 23:30:00.123_456_789 +02:00),
            ..event()
        };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["at"], "2026-11-23T21:30:00.123456Z");
        let read: Event = serde_json::from_value(json).unwrap();
        assert_eq!(read.at, datetime!(2026-11-23 21:30:00.123_456 UTC));
    }

    #[test]
    fn stored_names_are_those_of_the_specification() {
        let name = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        let named = [
            (
                name(serde_json::json!(Action::KeyOperation)),
                "key-operation",
            ),
            (name(serde_json::json!(Outcome::NotFound)), "not-found"),
            (
                name(serde_json::json!(Assurance::PasswordAndCode)),
                "password-and-code",
            ),
            (name(serde_json::json!(PurposeOfUse::Treatment)), "TREAT"),
        ];
        for (stored, specified) in named {
            assert_eq!(stored, specified);
        }
    }
}
