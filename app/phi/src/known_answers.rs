//! Opens what `vectors/known_answers.py` made by the README alone: the specification is complete, and
//! what is stored stays readable. If one of these fails, stored data no longer opens.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::columns::{
    DEMOGRAPHICS_FAMILY, DEMOGRAPHICS_MRN, PEOPLE_EMAIL, PEOPLE_NAME, RESOURCE_VERSIONS_BODY,
};
use crate::{
    AuthenticatedRow, DevelopmentKeyring, KeyService, KeyState, KeyStore, Keyring, KeyringSettings,
    MemoryKeys, OrganizationId, Owner, OwnerKind, Plaintext, Purpose, RowEncoder, RowId, RowMac,
    Sealed, WrappedKey, provider, row_digest,
};

struct Answers(Value);

impl Answers {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("../vectors/known_answers.json")).unwrap())
    }

    fn text(&self, name: &str) -> String {
        self.0[name].as_str().unwrap().to_owned()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex::decode(self.text(name)).unwrap()
    }

    fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap()
    }

    fn sealed<T: Plaintext>(&self, name: &str) -> Sealed<T> {
        Sealed::from_bytes(self.bytes(name))
    }

    fn organization(&self) -> OrganizationId {
        self.text("organization").parse().unwrap()
    }

    fn row(&self) -> RowId {
        self.text("row").parse().unwrap()
    }

    fn moment(&self) -> OffsetDateTime {
        let micros = i128::from(self.0["created_at_microseconds"].as_i64().unwrap());
        OffsetDateTime::from_unix_timestamp_nanos(micros * 1000).unwrap()
    }

    fn keyring_file(&self) -> DevelopmentKeyring {
        let base64 = |name| {
            let engine = base64::engine::general_purpose::STANDARD;
            base64::Engine::encode(&engine, self.bytes(name))
        };
        let file = json!({
            "format": "phi-development-keyring/1",
            "roots": [{ "id": self.text("root"), "key": base64("root_key") }],
            "mac_key": base64("mac_key"),
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring.json");
        fs::write(&path, file.to_string()).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        DevelopmentKeyring::load(&path).unwrap()
    }

    fn keys(&self) -> Vec<WrappedKey> {
        let code = |row: &Answers, name: &str| u8::try_from(row.0[name].as_u64().unwrap()).unwrap();
        let row = |row: &Answers| {
            let purpose = Purpose::from_code(code(row, "purpose")).unwrap();
            let branch = (purpose != Purpose::Branch).then(|| self.text("branch"));
            WrappedKey {
                id: row.text("id").parse().unwrap(),
                organization: self.organization(),
                owner: row.array("owner"),
                owner_kind: OwnerKind::from_code(code(row, "owner_kind")).unwrap(),
                purpose,
                version: 1,
                root: branch.is_none().then(|| self.text("root")),
                branch_version: branch.as_ref().map(|_| 1),
                provider: match branch {
                    Some(_) => provider::BRANCH,
                    None => provider::DEVELOPMENT,
                },
                branch: branch.map(|id| id.parse().unwrap()),
                wrapped: row.bytes("wrapped"),
                commitment: row.array("commitment"),
                state: KeyState::Active,
                created_at: self.moment(),
                mac: RowMac::from_bytes(row.array("mac")),
            }
        };
        let rows = self.0["keys"].as_array().unwrap();
        rows.iter()
            .map(|value| row(&Answers(value.clone())))
            .collect()
    }

    async fn keyring(&self) -> Keyring<MemoryKeys> {
        let store = MemoryKeys::default();
        for key in self.keys() {
            store.insert(&key).await.unwrap();
        }
        let service = KeyService::Development(self.keyring_file());
        Keyring::new(service, store, KeyringSettings::default())
    }
}

#[tokio::test]
async fn fields_sealed_by_another_program_open() {
    let answers = Answers::read();
    let (keyring, row) = (answers.keyring().await, answers.row());
    let patient = Owner::Patient(answers.text("patient").parse().unwrap());
    let scope = keyring
        .scope(answers.organization(), patient)
        .await
        .unwrap();

    let family = scope
        .open(&DEMOGRAPHICS_FAMILY, row, &answers.sealed("family_ada"))
        .unwrap();
    assert_eq!(family.expose().as_deref(), Some("Ada"));
    let absent = scope
        .open(&DEMOGRAPHICS_FAMILY, row, &answers.sealed("family_absent"))
        .unwrap();
    assert_eq!(*absent.expose(), None);
    let sealed = answers.sealed("body_of_1000_sevens");
    assert_eq!(sealed.as_bytes().len(), 46 + 1024);
    let body = scope.open(&RESOURCE_VERSIONS_BODY, row, &sealed).unwrap();
    assert_eq!(*body.expose(), [7; 1000]);
}

/// The vectors hold no seal key of the organization: the patient's stands in for it, which shows that
/// only suite and owner make the difference.
#[test]
fn a_field_of_a_wider_scope_sealed_by_another_program_opens() {
    let answers = Answers::read();
    let key = crate::secret::SecretKey::from_array(&[3; 32]);
    let id = answers.text("seal_key").parse().unwrap();
    let scope = crate::Scope::new(answers.organization(), Owner::Organization, id, key);
    let name = scope.open(
        &PEOPLE_NAME,
        answers.row(),
        &answers.sealed("people_name_ada"),
    );
    assert_eq!(name.unwrap().expose(), "Ada");
}

#[tokio::test]
async fn indexes_agree_with_another_program() {
    let answers = Answers::read();
    let (keyring, organization) = (answers.keyring().await, answers.organization());
    let key = keyring.index(organization).await.unwrap();
    let email = key.exact(&PEOPLE_EMAIL, " Ada@Example.org ");
    assert_eq!(
        *email.as_bytes(),
        answers.array("email_index_ada_at_example")
    );
    let mrn = key.exact(&DEMOGRAPHICS_MRN, "mrn-7a");
    assert_eq!(*mrn.as_bytes(), answers.array("mrn_index_mrn_7a"));
    let ssn = keyring
        .ssn_index(organization, "999-12-3456")
        .await
        .unwrap();
    assert_eq!(*ssn.as_bytes(), answers.array("ssn_index_999123456"));
}

struct Person<'a>(&'a Answers, RowMac);

impl AuthenticatedRow for Person<'_> {
    const TABLE: &'static str = "people";

    fn encode(&self, row: &mut RowEncoder) {
        row.text("ada");
        row.absent();
        row.u64(7);
        row.uuid(self.0.row().uuid());
        row.bytes(&[1, 2]);
        row.bool(true);
        row.time(self.0.moment());
    }

    fn mac(&self) -> &RowMac {
        &self.1
    }
}

#[tokio::test]
async fn macs_and_hashes_agree_with_another_program() {
    let answers = Answers::read();
    let keyring = answers.keyring().await;
    let key = keyring.authorization(answers.organization()).await.unwrap();
    let person = Person(
        &answers,
        RowMac::from_bytes(answers.array("access_row_mac")),
    );
    assert_eq!(row_digest(&person), answers.array("access_row_digest"));
    assert!(key.verify(person).is_ok());
    assert_eq!(
        key.token_hash("session", b"x"),
        answers.array("session_token_hash_of_x")
    );
    assert_eq!(
        key.mac("audit", b"x"),
        answers.array("audit_message_mac_of_x")
    );
}
