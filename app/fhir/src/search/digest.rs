//! Digests by which codes, systems and URIs are compared: eight bytes of SHA-256.

use sha2::Digest as _;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The digest of a text. Equal texts have equal digests; two different ones of a chart practically never.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest(pub(super) u64);

impl Digest {
    /// The digest of a text as it is: of a system or another URI.
    pub(super) fn of(text: &str) -> Self {
        let hash = Sha256::digest(text.as_bytes());
        let first = hash.first_chunk::<8>().copied().unwrap_or_default();
        Self(u64::from_be_bytes(first))
    }

    /// The digest of a code without regard to case: R4 compares tokens so (3.1.1.4.10).
    pub(super) fn of_code(code: &str) -> Self {
        if code
            .bytes()
            .any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii())
        {
            return Self::of(&Zeroizing::new(code.to_lowercase()));
        }
        Self::of(code)
    }

    /// The digest of a telephone number or an e-mail address without regard to case and, for a number, punctuation.
    pub(super) fn of_contact(value: &str) -> Self {
        let is_address = value.contains(['@', '/']);
        let counts =
            |letter: &char| !letter.is_whitespace() && (is_address || letter.is_alphanumeric());
        let plain: Zeroizing<String> = Zeroizing::new(value.chars().filter(counts).collect());
        Self::of_code(&plain)
    }
}

/// Code systems that summaries write as one byte. The order is part of the stored format: new systems are added at
/// the end only.
pub(super) const KNOWN_SYSTEMS: [&str; 32] = [
    "http://snomed.info/sct",
    "http://loinc.org",
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://unitsofmeasure.org",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://hl7.org/fhir/sid/icd-10",
    "http://hl7.org/fhir/sid/icd-9-cm",
    "http://hl7.org/fhir/sid/cvx",
    "http://hl7.org/fhir/sid/ndc",
    "http://hl7.org/fhir/sid/us-npi",
    "http://www.ama-assn.org/go/cpt",
    "https://bluebutton.cms.gov/resources/codesystem/hcpcs",
    "http://www.ada.org/cdt",
    "urn:iso:std:iso:4217",
    "urn:ietf:bcp:47",
    "urn:ietf:rfc:3986",
    "http://terminology.hl7.org/CodeSystem/observation-category",
    "http://terminology.hl7.org/CodeSystem/condition-category",
    "http://terminology.hl7.org/CodeSystem/condition-clinical",
    "http://terminology.hl7.org/CodeSystem/condition-ver-status",
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
    "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
    "http://terminology.hl7.org/CodeSystem/v3-NullFlavor",
    "http://terminology.hl7.org/CodeSystem/v2-0074",
    "http://terminology.hl7.org/CodeSystem/claim-type",
    "http://terminology.hl7.org/CodeSystem/processpriority",
    "http://terminology.hl7.org/CodeSystem/medicationrequest-category",
    "http://terminology.hl7.org/CodeSystem/ex-diagnosistype",
    "http://terminology.hl7.org/CodeSystem/organization-type",
    "http://terminology.hl7.org/CodeSystem/data-absent-reason",
];
