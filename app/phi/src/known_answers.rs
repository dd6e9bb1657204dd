//! Known-answer tests against `vectors/known_answers.py`, which was written from the README alone.
//!
//! They show that the specification is complete, and that stored data remains readable: if one of them fails, stored
//! data no longer opens.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::AuthenticatedRow;
use crate::ColumnEncoder;
use crate::DevelopmentKeyring;
use crate::Head;
use crate::HeadSet;
use crate::IndexParameter;
use crate::IndexValue;
use crate::KeyService;
use crate::KeyState;
use crate::Keyring;
use crate::KeyringSettings;
use crate::MemoryKeys;
use crate::Normalizer;
use crate::OrganizationId;
use crate::Owner;
use crate::OwnerKind;
use crate::Purpose;
use crate::Requested;
use crate::RowId;
use crate::RowMac;
use crate::Sealed;
use crate::SecretToken;
use crate::Table;
use crate::WrappedKey;
use crate::columns::Family;
use crate::columns::PersonName;
use crate::columns::ResourceBody;
use crate::provider;
use crate::row_digest;
use crate::tables;

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

    fn sealed<C>(&self, name: &str) -> Sealed<C> {
        Sealed::from_bytes(self.bytes(name))
    }

    fn organization(&self) -> OrganizationId {
        self.text("organization").parse().unwrap()
    }

    fn patient(&self) -> Owner {
        Owner::Patient(self.text("patient").parse().unwrap())
    }

    fn requested(&self, owner: Owner) -> Requested {
        Requested {
            organization: self.organization(),
            owner,
            row: self.row(),
        }
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
            "mac_key": base64("service_mac_key"),
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
                state: KeyState::Current,
                created_at: self.moment(),
                mac: RowMac::new(row.text("id").parse().unwrap(), row.array("mac")),
            }
        };
        let rows = self.0["keys"].as_array().unwrap();
        rows.iter()
            .map(|value| row(&Answers(value.clone())))
            .collect()
    }

    fn keyring(&self) -> Keyring<MemoryKeys> {
        let store = MemoryKeys::default();
        store.insert(self.keys());
        let service = KeyService::Development(self.keyring_file());
        Keyring::new(service, store, KeyringSettings::default())
    }
}

#[tokio::test]
async fn fields_sealed_by_another_program_open() {
    let answers = Answers::read();
    let keyring = answers.keyring();
    let requested = answers.requested(answers.patient());

    let family = answers.sealed::<Family>("family_ada");
    let family = keyring.open(requested, &family).await.unwrap();
    assert_eq!(family.expose().as_deref(), Some("Ada"));
    let absent = answers.sealed::<Family>("family_absent");
    let absent = keyring.open(requested, &absent).await.unwrap();
    assert_eq!(*absent.expose(), None);
    let body = answers.sealed::<ResourceBody>("body_of_1000_sevens");
    assert_eq!(body.as_bytes().len(), 46 + 1024);
    let body = keyring.open(requested, &body).await.unwrap();
    assert_eq!(*body.expose(), [7; 1000]);

    let requested = answers.requested(Owner::Organization);
    let name = answers.sealed::<PersonName>("person_name_ada");
    let name = keyring.open(requested, &name).await.unwrap();
    assert_eq!(name.expose(), "Ada");
}

/// Every wrapped key opens, which checks its wrap, its commitment and its MAC.
#[tokio::test]
async fn keys_wrapped_by_another_program_open() {
    let answers = Answers::read();
    let (keyring, organization) = (answers.keyring(), answers.organization());
    for owner in [answers.patient(), Owner::Organization] {
        assert!(keyring.scope(organization, owner).await.is_ok());
    }
    let index = answers.text("index").parse().unwrap();
    assert!(keyring.index(organization, index).await.is_ok());
    let authorization = keyring.authorization(organization).await.unwrap();
    let id = answers.text("authorization").parse().unwrap();
    assert_eq!(authorization.key_id(), id);
    let rows = answers.0["keys"].as_array().unwrap().clone();
    for (row, answer) in answers.keys().iter().zip(rows) {
        assert_eq!(row_digest(row), Answers(answer).array("digest"));
    }
}

#[tokio::test]
async fn tokens_of_a_blind_index_agree_with_another_program() {
    let answers = Answers::read();
    let (keyring, organization) = (answers.keyring(), answers.organization());
    let id = answers.text("index").parse().unwrap();
    let key = keyring.index(organization, id).await.unwrap();
    let values = [
        (
            IndexParameter::SignInEmail,
            None,
            " Ada@Example.org ",
            "sign_in_email_ada_at_example",
        ),
        (
            IndexParameter::Email,
            None,
            "ada@EXAMPLE.org",
            "email_ada_at_example",
        ),
        (
            IndexParameter::Identifier,
            Some("urn:Example"),
            "mrn-7a",
            "identifier_with_system",
        ),
        (
            IndexParameter::Identifier,
            None,
            "MRN-7a",
            "identifier_without_system",
        ),
        (
            IndexParameter::IdentifierValue,
            None,
            "mrn-7A\u{2003}",
            "identifier_value",
        ),
        (IndexParameter::Phone, None, " +1 (617) 555-0100", "phone"),
    ];
    for (parameter, system, value, name) in values {
        let value = IndexValue {
            parameter,
            system,
            value,
        };
        let token = key.token(Normalizer::V1, value);
        assert_eq!(*token.as_bytes(), answers.array(name), "{name}");
    }
    let value = IndexValue {
        parameter: IndexParameter::Identifier,
        system: Some("urn:ssn"),
        value: "999-12 3456",
    };
    let token = keyring.service_token(&key, Normalizer::V1, value).await;
    assert_eq!(
        *token.unwrap().as_bytes(),
        answers.array("social_security_number")
    );
}

/// A row of every type of column, with one that has no value and one that is volatile.
struct Person<'a>(&'a Answers, RowMac);

impl AuthenticatedRow for Person<'_> {
    const TABLE: Table = tables::PEOPLE;

    fn organization(&self) -> OrganizationId {
        self.0.organization()
    }

    fn row_id(&self) -> Uuid {
        self.0.row().uuid()
    }

    fn encode(&self, columns: &mut ColumnEncoder) {
        columns.column(1, &"ada".to_owned());
        columns.column(2, &None::<String>);
        columns.column(3, &7_u16);
        columns.column(4, &self.0.row());
        columns.column(5, &vec![1, 2]);
        columns.column(6, &true);
        columns.column(7, &self.0.moment());
        columns.volatile(8, &9_u64);
        let before_1970 = OffsetDateTime::UNIX_EPOCH - std::time::Duration::from_nanos(1);
        columns.column(300, &Some(before_1970));
    }

    fn mac(&self) -> &RowMac {
        &self.1
    }

    fn set_mac(&mut self, mac: RowMac) {
        self.1 = mac;
    }
}

#[tokio::test]
async fn macs_and_hashes_agree_with_another_program() {
    let answers = Answers::read();
    let (keyring, organization) = (answers.keyring(), answers.organization());
    let key = answers.text("authorization").parse().unwrap();
    let mac = RowMac::new(key, answers.array("access_row_mac"));
    let person = Person(&answers, mac);
    assert_eq!(row_digest(&person), answers.array("access_row_digest"));
    assert!(keyring.verify(organization, person).await.is_ok());
    let key = keyring.authorization(organization).await.unwrap();
    let mac = answers.array("audit_message_mac_of_x");
    assert_eq!(key.message_mac("audit", b"x"), mac);
    let token = SecretToken::parse(&answers.text("token")).unwrap();
    assert_eq!(token.hash("session"), answers.array("session_token_hash"));
    let scope = keyring.scope(organization, Owner::Organization).await;
    let pseudonym = scope.unwrap().pseudonym("address", b"192.0.2.1");
    assert_eq!(pseudonym, answers.array("pseudonym_of_192_0_2_1"));
}

#[tokio::test]
async fn heads_agree_with_another_program() {
    let answers = Answers::read();
    let scope = answers.keyring();
    let scope = scope.scope(answers.organization(), answers.patient()).await;
    let scope = scope.unwrap();
    let head = |kind, number: u8, version| Head {
        kind,
        id: uuid::Builder::from_u128(u128::from(number))
            .with_version(uuid::Version::Random)
            .with_variant(uuid::Variant::RFC4122)
            .into_uuid(),
        version,
        digest: [number; 32],
    };
    let mut heads = HeadSet::default();
    heads.add(&scope, head("Observation", 1, 1));
    heads.add(&scope, head("Condition", 4, 2));
    heads.add(&scope, head("Observation", 2, 3));
    heads.add(&scope, head("Observation", 3, 1));
    let expected = answers.bytes("heads");
    assert_eq!(heads.to_bytes(), expected);
    assert_eq!(HeadSet::from_bytes(&expected), Some(heads));
}

#[test]
fn the_readme_lists_every_authenticated_table() {
    let readme = include_str!("../README.md");
    for table in tables::ALL {
        let line = format!("| {} | `{}` |", table.tag, table.name);
        assert!(readme.contains(&line), "{line}");
    }
}
