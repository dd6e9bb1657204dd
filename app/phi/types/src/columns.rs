//! The registry of sealed columns. Adding a PHI field is one entry here and one migration.
//!
//! Ids are permanent: an entry may be renamed or retired, but its id is never given to another column. Ids from 60,000
//! are those of the build that the upgrade test runs.

use Bucket::Multiple;
use Bucket::Padme;

/// A sealed column, as a type.
///
/// The id, not the name, enters the cryptography, so renaming a column changes nothing.
pub trait Column: Send + Sync + 'static {
    /// The type of the value in the clear.
    type Value;
    /// The table that the column belongs to.
    const TABLE: &'static str;
    /// The column's name in its table.
    const NAME: &'static str;
    /// The column's permanent id.
    const ID: u16;
    /// The lengths that its padded values can have.
    const BUCKET: Bucket;
}

/// The lengths that a column's padded values can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// The next multiple of this many bytes: for short fields, most of which fit the first one.
    Multiple(u16),
    /// Padmé (Nikitin et al., PETS 2019): at most 12 % more, revealing only `O(log log n)` bits of the
    /// length. For whole resources.
    Padme,
}

/// Declares the columns, and `ALL`, by which a test compares their ids.
macro_rules! registry {
    ($($(#[$doc:meta])* $name:ident: $value:ty = $table:literal, $column:literal, $id:literal, $bucket:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl Column for $name {
                type Value = $value;
                const TABLE: &'static str = $table;
                const NAME: &'static str = $column;
                const ID: u16 = $id;
                const BUCKET: Bucket = $bucket;
            }
        )*

        /// Table, name and id of every sealed column.
        pub const ALL: &[(&str, &str, u16)] = &[$(($table, $column, $id),)*];
    };
}

registry! {
    /// The e-mail address that a person signs in with.
    PersonEmail: String = "people", "email", 1, Multiple(64);
    /// A person's name.
    PersonName: String = "people", "name", 2, Multiple(64);
    /// A person's password string (argon2id, PHC form).
    CredentialPassword: String = "credentials", "password", 3, Multiple(128);
    /// The secret of an authenticator: the key of a TOTP, a passkey, or the hash of a code.
    AuthenticatorSecret: Vec<u8> = "authenticators", "secret", 4, Multiple(64);

    /// The reason for an emergency access to a chart.
    EmergencyReason: String = "emergency_accesses", "reason", 70, Multiple(256);
    /// What the review of an emergency access found.
    EmergencyFinding: String = "emergency_accesses", "finding", 71, Multiple(256);

    /// A patient's family name.
    Family: Option<String> = "demographics", "family", 10, Multiple(32);
    /// A patient's given names.
    Given: Option<String> = "demographics", "given", 11, Multiple(32);
    /// A patient's birth date, `YYYY-MM-DD` or a prefix of it.
    BirthDate: Option<String> = "demographics", "birth_date", 12, Multiple(16);
    /// A patient's administrative gender.
    Gender: Option<String> = "demographics", "gender", 13, Multiple(16);
    /// A patient's medical record number.
    RecordNumber: Option<String> = "demographics", "mrn", 14, Multiple(64);
    /// A patient's social security number.
    SocialSecurityNumber: Option<String> = "demographics", "ssn", 15, Multiple(16);
    /// A patient's telephone number.
    Phone: Option<String> = "demographics", "phone", 16, Multiple(32);
    /// A patient's e-mail address.
    Email: Option<String> = "demographics", "email", 17, Multiple(64);
    /// A patient's postal address.
    Address: Option<String> = "demographics", "address", 18, Multiple(128);
    /// What the roster finds a patient by: every name, and the birth date. JSON.
    RosterEntry: Vec<u8> = "demographics", "roster_entry", 19, Multiple(128);

    /// One version of a clinical resource, as received.
    ResourceBody: Vec<u8> = "resource_versions", "body", 30, Padme;
    /// What searches read in place of a body: the row id of the version, 16 bytes, and the encoded values of its search
    /// parameters.
    SearchSummary: Vec<u8> = "search_summaries", "summary", 31, Multiple(256);

    /// The body of an audit event.
    AuditBody: Vec<u8> = "audit_events", "body", 40, Multiple(256);
    /// The network address behind a pseudonym of the audit trail.
    AuditAddress: String = "audit_addresses", "address", 41, Multiple(64);

    /// The cursor of a result's next page. It is sent to the client and not stored.
    PageCursor: Vec<u8> = "page_cursors", "cursor", 60, Multiple(64);

    /// A form that was sent after the end of its session. It is kept by the browser and not stored.
    KeptForm: Vec<u8> = "kept_forms", "form", 64, Multiple(256);

    /// The challenge of a passkey ceremony. It is sent to the client and not stored.
    PasskeyChallenge: Vec<u8> = "passkey_challenges", "challenge", 65, Multiple(32);

    /// The request of a bulk export.
    ExportRequest: Vec<u8> = "exports", "request", 61, Multiple(256);
    /// The progress of a bulk export, and its files.
    ExportState: Vec<u8> = "exports", "state", 62, Padme;
    /// A part of a file of a bulk export: export, file and part number, and lines of resources. It is stored as an object.
    ExportPart: Vec<u8> = "export_files", "part", 63, Padme;

    /// For each resource type, the count and the multiset hash of an owner's current heads.
    OwnerHeads: Vec<u8> = "owners", "heads", 50, Multiple(256);
}

/// A note on a patient, which only the build of the upgrade test has.
#[cfg(feature = "next-release")]
#[derive(Clone, Copy, Debug)]
pub struct NextReleaseNote;

#[cfg(feature = "next-release")]
impl Column for NextReleaseNote {
    type Value = String;
    const TABLE: &'static str = "demographics";
    const NAME: &'static str = "next_release_note";
    const ID: u16 = 60_000;
    const BUCKET: Bucket = Multiple(32);
}

/// Calls a macro with the fields of a Patient that are sealed one by one: the permanent tag in the table
/// `demographics`, the field's name there and in the rest of the code, and its column. The row's declaration, sealing
/// and opening are derived from this list. A field that was added after the first release is `later`: rows of earlier
/// releases do not have it.
#[macro_export]
macro_rules! patient_fields {
    ($use:ident) => {
        $use! {
            first {
                /// Family name.
                5 family: Family;
                /// Given names.
                6 given: Given;
                /// Birth date.
                7 birth_date: BirthDate;
                /// Administrative gender.
                8 gender: Gender;
                /// Medical record number.
                9 mrn: RecordNumber;
                /// Social security number.
                10 ssn: SocialSecurityNumber;
                /// Telephone number.
                11 phone: Phone;
                /// E-mail address.
                12 email: Email;
                /// Postal address.
                13 address: Address;
            }
            later {
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_column_has_an_id_and_a_name_of_its_own() {
        let ids: HashSet<_> = ALL.iter().map(|(_, _, id)| id).collect();
        let names: HashSet<_> = ALL.iter().map(|(table, name, _)| (table, name)).collect();
        assert_eq!(ids.len(), ALL.len());
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn the_fields_of_a_patient_are_columns_of_their_table() {
        macro_rules! ensure {
            (first { $($first:tt)* } later { $($later:tt)* }) => {
                ensure! { @each $($first)* $($later)* }
            };
            (@each $(#[doc = $doc:literal] $tag:literal $field:ident: $column:ident;)*) => {
                $(assert_eq!(($column::TABLE, $column::NAME), ("demographics", stringify!($field)));)*
            };
        }
        crate::patient_fields!(ensure);
    }
}
