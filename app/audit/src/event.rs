//! What an event says.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// One access to records, or one decision about access (45 CFR 164.312(b), 164.528).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Event {
    /// When, in UTC, to the microsecond.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The request id that the web tier gave, also found in both tiers' logs.
    pub request: Uuid,
    /// Who; absent before anybody is known (a refused sign-in).
    pub person: Option<Uuid>,
    /// In what role.
    pub role: Option<String>,
    /// A keyed pseudonym of the client's address, in hex.
    pub source: Option<String>,
    /// What was done or attempted.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Why (HL7 v3 `PurposeOfUse`).
    pub purpose: PurposeOfUse,
    /// The records concerned, in the order they were touched.
    pub records: Vec<RecordReference>,
}

/// A record by what it is, never by what it says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RecordReference {
    /// The FHIR resource type, or another kind of record in lower case (`person`, `audit`).
    pub kind: String,
    /// The record's id; absent where the access was to the kind as a whole.
    pub id: Option<Uuid>,
    /// The version read or written; absent where there is none.
    pub version: Option<u32>,
    /// The patient who owns the record, for the accounting of disclosures.
    pub patient: Option<Uuid>,
}

/// What was done or attempted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A person signed in.
    SignIn,
    /// A person signed out, or a token was given back.
    SignOut,
    /// A bearer token was issued.
    IssueToken,
    /// Records were created or amended.
    Write,
    /// Records were disclosed one by one.
    Read,
    /// Records were disclosed as a list or a search result.
    Search,
}

/// How it ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused: the role or the organization does not allow it.
    Refused,
    /// What was asked for is not there, or not there for this organization.
    NotFound,
}

/// Why records are accessed: codes of HL7 v3 `PurposeOfUse` (2.16.840.1.113883.5.8).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum PurposeOfUse {
    /// Treatment.
    #[serde(rename = "TREAT")]
    Treatment,
    /// Healthcare operations.
    #[serde(rename = "HOPERAT")]
    Operations,
    /// Payment.
    #[serde(rename = "HPAYMT")]
    Payment,
    /// System administration.
    #[serde(rename = "HSYSADMIN")]
    Administration,
}
