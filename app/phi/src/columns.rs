//! The registry of sealed columns. To add a PHI field is one entry here and one migration.
//!
//! Ids are permanent: an entry may be renamed or retired, its id is never given to another.

use crate::column::{ByKeyService, Column, Exact};
use crate::normalize::Normalizer;
use crate::padding::Bucket::{Multiple, Padme};

/// Declares the columns, and lists them all for the test that keeps them apart.
macro_rules! registry {
    ($($(#[$doc:meta])* $constant:ident: $kind:ty = $column:expr;)*) => {
        $($(#[$doc])* pub const $constant: $kind = $column;)*

        /// Table, name and id of every sealed column.
        pub const ALL: &[(&str, &str, u16)] =
            &[$(($constant.table(), $constant.name(), $constant.id()),)*];
    };
}

registry! {
    /// The e-mail address a person signs in with.
    PEOPLE_EMAIL: Column<String, Exact> =
        Column::new("people", "email", 1, Multiple(64)).exact(Normalizer::EmailV1);
    /// A person's name.
    PEOPLE_NAME: Column<String> = Column::new("people", "name", 2, Multiple(64));
    /// A person's password string (argon2id, PHC form).
    CREDENTIALS_PASSWORD: Column<String> = Column::new("credentials", "password", 3, Multiple(128));

    /// A patient's family name.
    DEMOGRAPHICS_FAMILY: Column<Option<String>> =
        Column::new("demographics", "family", 10, Multiple(32));
    /// A patient's given names.
    DEMOGRAPHICS_GIVEN: Column<Option<String>> =
        Column::new("demographics", "given", 11, Multiple(32));
    /// A patient's birth date, `YYYY-MM-DD` or a prefix of it.
    DEMOGRAPHICS_BIRTH_DATE: Column<Option<String>> =
        Column::new("demographics", "birth_date", 12, Multiple(16));
    /// A patient's administrative gender.
    DEMOGRAPHICS_GENDER: Column<Option<String>> =
        Column::new("demographics", "gender", 13, Multiple(16));
    /// A patient's medical record number.
    DEMOGRAPHICS_MRN: Column<Option<String>, Exact> =
        Column::new("demographics", "mrn", 14, Multiple(64)).exact(Normalizer::RecordNumberV1);
    /// A patient's social security number.
    DEMOGRAPHICS_SSN: Column<Option<String>, ByKeyService> =
        Column::new("demographics", "ssn", 15, Multiple(16))
            .by_key_service(Normalizer::SocialSecurityNumberV1);
    /// A patient's telephone number.
    DEMOGRAPHICS_PHONE: Column<Option<String>> =
        Column::new("demographics", "phone", 16, Multiple(32));
    /// A patient's e-mail address.
    DEMOGRAPHICS_EMAIL: Column<Option<String>> =
        Column::new("demographics", "email", 17, Multiple(64));
    /// A patient's postal address.
    DEMOGRAPHICS_ADDRESS: Column<Option<String>> =
        Column::new("demographics", "address", 18, Multiple(128));

    /// One version of a clinical resource, whole, as it came.
    RESOURCE_VERSIONS_BODY: Column<Vec<u8>> = Column::new("resource_versions", "body", 30, Padme);

    /// The body of an audit event.
    AUDIT_EVENTS_BODY: Column<Vec<u8>> = Column::new("audit_events", "body", 40, Multiple(256));
    /// The network address behind a pseudonym of the audit trail.
    AUDIT_ADDRESSES_ADDRESS: Column<String> =
        Column::new("audit_addresses", "address", 41, Multiple(64));
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
}
