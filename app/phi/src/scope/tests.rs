//! Tests of sealed fields: a value opens only where it was sealed, and its length is a bucket's.

use proptest::prelude::*;

use super::*;
use phi_types::PatientId;
use phi_types::columns::AuditBody;
use phi_types::columns::Family;
use phi_types::columns::Given;
use phi_types::columns::PersonName;
use phi_types::columns::ResourceBody;

fn owners() -> [Owner; 4] {
    let patient = Owner::Patient(PatientId::random());
    [
        patient,
        Owner::Organization,
        Owner::AuditYear(2026),
        Owner::System,
    ]
}

/// A scope key with constant key bytes, so that only its associated data differs.
fn scope(organization: OrganizationId, owner: Owner, id: KeyId) -> ScopeKey {
    ScopeKey::new(organization, owner, id, SecretKey::from_array(&[7; 32]))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the columns are of `Option<String>`"
)]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_sealed_value_opens_where_it_was_sealed() {
    let (organization, row) = (OrganizationId::random(), RowId::random());
    for owner in owners() {
        let scope = scope(organization, owner, KeyId::random());
        for value in [None, some(""), some("Ada"), some(&"long ".repeat(1000))] {
            let sealed = scope.seal::<Family>(row, &value).unwrap();
            assert_eq!(sealed.key_id(), Some(scope.key_id()));
            let opened = scope.open::<Family>(row, &sealed).unwrap();
            assert_eq!(*opened.expose(), value);
        }
    }
}

#[test]
fn a_value_moved_to_another_row_does_not_open() {
    for owner in owners() {
        let scope = scope(OrganizationId::random(), owner, KeyId::random());
        let sealed = scope.seal::<Family>(RowId::random(), &some("Ada")).unwrap();
        let opened = scope.open::<Family>(RowId::random(), &sealed);
        assert_eq!(opened.unwrap_err(), NotOpened);
    }
}

#[test]
fn a_value_moved_to_another_column_does_not_open() {
    for owner in owners() {
        let (scope, row) = (
            scope(OrganizationId::random(), owner, KeyId::random()),
            RowId::random(),
        );
        let sealed = scope.seal::<Family>(row, &some("Ada")).unwrap();
        let retyped = Sealed::from_bytes(sealed.as_bytes().to_vec());
        assert!(scope.open::<Given>(row, &retyped).is_err());
        let retyped = Sealed::from_bytes(sealed.into_bytes());
        assert!(scope.open::<PersonName>(row, &retyped).is_err());
    }
}

/// Even if two scopes had the same key under the same id.
#[test]
fn a_value_moved_to_another_owner_or_organization_does_not_open() {
    let (organization, id, row) = (OrganizationId::random(), KeyId::random(), RowId::random());
    for owner in owners() {
        let sealed = scope(organization, owner, id)
            .seal::<Family>(row, &some("Ada"))
            .unwrap();
        for other in owners().into_iter().filter(|other| *other != owner) {
            let elsewhere = scope(organization, other, id);
            assert!(elsewhere.open::<Family>(row, &sealed).is_err());
        }
        let elsewhere = scope(OrganizationId::random(), owner, id);
        assert!(elsewhere.open::<Family>(row, &sealed).is_err());
    }
}

#[test]
fn a_value_sealed_under_another_key_id_does_not_open() {
    let (organization, row) = (OrganizationId::random(), RowId::random());
    for owner in owners() {
        let sealed = scope(organization, owner, KeyId::random())
            .seal::<Family>(row, &some("Ada"))
            .unwrap();
        let other = scope(organization, owner, KeyId::random());
        assert!(other.open::<Family>(row, &sealed).is_err());
        let mut renamed = sealed.into_bytes();
        renamed[2..18].copy_from_slice(other.key_id().as_bytes());
        assert!(
            other
                .open::<Family>(row, &Sealed::from_bytes(renamed))
                .is_err()
        );
    }
}

/// An organization whose id is the one of the owner *system*: suite and id are equal, the kinds are not.
#[test]
fn a_value_of_an_owner_of_another_kind_with_the_same_id_does_not_open() {
    let organization = OrganizationId::from_uuid(uuid::Uuid::from_bytes(
        Owner::System.id(OrganizationId::SYSTEM),
    ));
    let (id, row) = (KeyId::random(), RowId::random());
    let (a, b) = (Owner::Organization, Owner::System);
    assert_eq!(a.id(organization), b.id(organization));
    let sealed = scope(organization, a, id).seal::<Family>(row, &some("Ada"));
    let opened = scope(organization, b, id).open::<Family>(row, &sealed.unwrap());
    assert_eq!(opened.unwrap_err(), NotOpened);
}

#[test]
fn a_pseudonym_is_constant_for_a_scope_a_label_and_a_value() {
    let (organization, id) = (OrganizationId::random(), KeyId::random());
    let scope = scope(organization, Owner::AuditYear(2026), id);
    let pseudonym = scope.pseudonym("address", b"192.0.2.1");
    assert_eq!(scope.pseudonym("address", b"192.0.2.1"), pseudonym);
    assert_ne!(scope.pseudonym("address", b"192.0.2.2"), pseudonym);
    assert_ne!(scope.pseudonym("agent", b"192.0.2.1"), pseudonym);
}

#[test]
fn a_patient_is_sealed_with_suite_1_and_everything_wider_with_suite_2() {
    let row = RowId::random();
    for owner in owners() {
        let scope = scope(OrganizationId::random(), owner, KeyId::random());
        let sealed = scope.seal::<AuditBody>(row, &vec![7; 100]).unwrap();
        let (suite, overhead) = match owner {
            Owner::Patient(_) => (1, 46),
            Owner::Organization | Owner::AuditYear(_) | Owner::System => (2, 58),
        };
        assert_eq!(sealed.as_bytes()[..2], [0xE1, suite]);
        assert_eq!(sealed.as_bytes().len(), overhead + 256);
    }
}

#[test]
fn values_of_one_bucket_have_one_length_also_when_absent() {
    let owner = Owner::Patient(PatientId::random());
    let scope = scope(OrganizationId::random(), owner, KeyId::random());
    for value in [None, some(""), some("Ada"), some(&"x".repeat(30))] {
        let sealed = scope.seal::<Family>(RowId::random(), &value).unwrap();
        assert_eq!(sealed.as_bytes().len(), 46 + 32);
    }
}

#[test]
fn sealing_twice_gives_two_values() {
    let scope = scope(
        OrganizationId::random(),
        Owner::Organization,
        KeyId::random(),
    );
    let row = RowId::random();
    let seal = || scope.seal::<PersonName>(row, &"Ada".to_owned()).unwrap();
    assert_ne!(seal(), seal());
}

#[test]
fn nothing_shows_a_key_or_a_value() {
    let scope = scope(
        OrganizationId::random(),
        Owner::Organization,
        KeyId::random(),
    );
    let sealed = scope
        .seal::<PersonName>(RowId::random(), &"Ada".to_owned())
        .unwrap();
    assert_eq!(
        format!("{scope:?}"),
        format!("ScopeKey({})", scope.key_id())
    );
    assert_eq!(format!("{sealed:?}"), "Sealed(122 bytes)");
}

proptest! {
    #[test]
    fn any_flipped_bit_does_not_open(
        value in prop::collection::vec(any::<u8>(), 0..200),
        patient: bool,
        place: prop::sample::Index,
        bit in 0_u8..8,
    ) {
        let owner = if patient { owners()[0] } else { Owner::Organization };
        let scope = scope(OrganizationId::random(), owner, KeyId::random());
        let row = RowId::random();
        let mut bytes = scope.seal::<ResourceBody>(row, &value).unwrap().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let sealed = Sealed::from_bytes(bytes);
        prop_assert!(scope.open::<ResourceBody>(row, &sealed).is_err());
    }

    #[test]
    fn a_value_cut_short_or_made_longer_does_not_open(
        value in prop::collection::vec(any::<u8>(), 0..200),
        cut: prop::sample::Index,
        more in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let scope = scope(OrganizationId::random(), owners()[0], KeyId::random());
        let row = RowId::random();
        let bytes = scope.seal::<ResourceBody>(row, &value).unwrap().into_bytes();
        let short = Sealed::from_bytes(bytes[..cut.index(bytes.len())].to_vec());
        prop_assert!(scope.open::<ResourceBody>(row, &short).is_err());
        let long = Sealed::from_bytes([bytes, more].concat());
        prop_assert!(scope.open::<ResourceBody>(row, &long).is_err());
    }

    #[test]
    fn what_was_never_sealed_does_not_open(bytes: Vec<u8>) {
        let scope = scope(OrganizationId::random(), owners()[0], KeyId::random());
        let sealed = Sealed::from_bytes([&scope.header.bytes()[..], &bytes].concat());
        prop_assert!(scope.open::<ResourceBody>(RowId::random(), &sealed).is_err());
    }
}
