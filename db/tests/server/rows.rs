//! Rows with every column filled, no two alike. What is sealed in them is only bytes here: this crate
//! never opens anything.

use db::{CredentialRow, DemographicsRow, PersonId, PersonRow, ResourceRow, VersionRow};
use phi::{
    AuthenticatedRow, BlindIndex, OrganizationId, PatientId, RowId, RowMac, Sealed, row_digest,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// 2026-11-23T12:13:14.123456Z, to the microsecond that a column holds.
pub(super) fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(1_795_435_994_123_456_000).unwrap()
}

/// An id that was never used.
pub(super) fn id() -> Uuid {
    RowId::random().uuid()
}

/// 32 bytes that were never used.
pub(super) fn bytes32() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(id().as_bytes());
    bytes[16..].copy_from_slice(id().as_bytes());
    bytes
}

/// A MAC; whether it verifies is not this crate's to say.
pub(super) fn mac() -> RowMac {
    RowMac::from_bytes(bytes32())
}

/// An index that no other row has.
pub(super) fn index() -> BlindIndex {
    BlindIndex::from_bytes(id().into_bytes())
}

/// A sealed value of some length, every byte value among it.
pub(super) fn sealed<T>() -> Sealed<T> {
    let mut bytes = vec![0xE1, 1];
    bytes.extend_from_slice(id().as_bytes());
    bytes.extend(0..=255);
    bytes.truncate(200);
    Sealed::from_bytes(bytes)
}

/// The head of a new resource.
pub(super) fn resource(organization: OrganizationId, owner: Uuid, kind: &str) -> ResourceRow {
    ResourceRow {
        organization,
        owner,
        kind: kind.to_owned(),
        id: id(),
        version: 1,
        updated_at: noon(),
        mac: mac(),
    }
}

/// The version that a head names.
pub(super) fn version_of(head: &ResourceRow) -> VersionRow {
    VersionRow {
        organization: head.organization,
        owner: head.owner,
        kind: head.kind.clone(),
        id: head.id,
        version: head.version,
        row_id: RowId::random(),
        at: head.updated_at,
        body: sealed(),
        mac: mac(),
    }
}

/// A patient's fields.
pub(super) fn demographics(organization: OrganizationId) -> DemographicsRow {
    DemographicsRow {
        organization,
        patient: PatientId::random(),
        row_id: RowId::random(),
        version: 1,
        family: sealed(),
        given: sealed(),
        birth_date: sealed(),
        gender: sealed(),
        mrn: sealed(),
        ssn: sealed(),
        phone: sealed(),
        email: sealed(),
        address: sealed(),
        mrn_index: index(),
        ssn_index: index(),
        mac: mac(),
    }
}

/// Somebody who can sign in.
pub(super) fn person(organization: OrganizationId) -> PersonRow {
    PersonRow {
        organization,
        id: PersonId(id()),
        row_id: RowId::random(),
        email_index: index(),
        email: sealed(),
        name: sealed(),
        role: "clinician".to_owned(),
        active: true,
        created_at: noon(),
        mac: mac(),
    }
}

/// A person's password.
pub(super) fn credential(person: &PersonRow) -> CredentialRow {
    CredentialRow {
        organization: person.organization,
        person: person.id,
        row_id: RowId::random(),
        password: sealed(),
        changed_at: noon(),
        mac: mac(),
    }
}

/// Asserts that two rows agree in every column, the MAC too.
#[track_caller]
pub(super) fn assert_same<R: AuthenticatedRow>(found: &R, stored: &R) {
    assert_eq!(row_digest(found), row_digest(stored), "{}", R::TABLE);
    assert_eq!(found.mac(), stored.mac(), "{}", R::TABLE);
}
