//! Tests of row and message MACs.

use phi_types::ColumnEncoder;
use phi_types::Table;
use phi_types::tables;
use uuid::Uuid;

use super::*;

#[derive(Clone, Debug)]
struct Person {
    organization: OrganizationId,
    role: String,
    supervisor: Option<u64>,
    mac: RowMac,
}

impl AuthenticatedRow for Person {
    const TABLE: Table = tables::PEOPLE;

    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn row_id(&self) -> Uuid {
        Uuid::nil()
    }

    fn encode(&self, columns: &mut ColumnEncoder) {
        columns.column(1, &self.role);
        columns.column(2, &self.supervisor);
    }

    fn mac(&self) -> &RowMac {
        &self.mac
    }

    fn set_mac(&mut self, mac: RowMac) {
        self.mac = mac;
    }
}

const ORGANIZATION: OrganizationId = OrganizationId::from_uuid(Uuid::from_u128(1));

fn key(id: u128, state: KeyState) -> AuthorizationKey {
    let id = KeyId::from_uuid(Uuid::from_u128(id));
    AuthorizationKey::new(ORGANIZATION, id, state, &SecretKey::from_array(&[7; 32]))
}

fn ada() -> Person {
    key(1, KeyState::Current).authenticate(Person {
        organization: ORGANIZATION,
        role: "clinician".to_owned(),
        supervisor: Some(7),
        mac: RowMac::UNSET,
    })
}

#[test]
fn a_row_verifies_as_it_was_written_also_after_a_rotation_until_the_key_is_retired() {
    assert_eq!(
        key(1, KeyState::Current).verify(ada()).unwrap().role,
        "clinician"
    );
    assert!(key(1, KeyState::Former).verify(ada()).is_some());
    assert!(key(1, KeyState::Retired).verify(ada()).is_none());
}

#[test]
fn a_changed_a_nulled_and_a_moved_row_do_not_verify() {
    let current = key(1, KeyState::Current);
    let role = "privacy_officer".to_owned();
    let supervisor = None;
    let organization = OrganizationId::random();
    assert!(current.verify(Person { role, ..ada() }).is_none());
    assert!(
        current
            .verify(Person {
                supervisor,
                ..ada()
            })
            .is_none()
    );
    assert!(
        current
            .verify(Person {
                organization,
                ..ada()
            })
            .is_none()
    );
    assert!(
        current
            .verify(Person {
                mac: RowMac::UNSET,
                ..ada()
            })
            .is_none()
    );
}

#[test]
fn a_mac_under_another_key_id_does_not_verify() {
    assert!(key(2, KeyState::Current).verify(ada()).is_none());
    let renamed = RowMac::new(KeyId::from_uuid(Uuid::from_u128(2)), *ada().mac.as_bytes());
    let renamed = Person {
        mac: renamed,
        ..ada()
    };
    assert!(key(2, KeyState::Current).verify(renamed).is_none());
}

#[test]
fn messages_of_two_kinds_have_macs_of_their_own() {
    let key = key(1, KeyState::Current);
    assert_ne!(key.message_mac("a", b"x"), key.message_mac("b", b"x"));
    assert_ne!(key.message_mac("a", b"bx"), key.message_mac("ab", b"x"));
    assert!(key.verify_message("a", b"x", &key.message_mac("a", b"x")));
}
