//! Genuine rows of three subjects, authenticated and sealed with real keys, in a database and in memory.

use std::slice::from_ref;
use std::sync::Arc;

use audit::Commitment;
use audit::HashChain;
use audit::RowsCommitment;
use audit::UnplacedEvent;
use audit::WrittenRow;
use db::ChangeCounterRow;
use db::ChangeRow;
use db::CredentialRow;
use db::Database;
use db::DemographicsRow;
use db::EventRow;
use db::IndexVersionRow;
use db::OrganizationRow;
use db::OwnerRow;
use db::PatientToken;
use db::PersonRow;
use db::ResourceRow;
use db::SessionRow;
use db::VersionRow;
use phi::AuthorizationKey;
use phi::DevelopmentKeyring;
use phi::IndexParameter;
use phi::KeyId;
use phi::KeyService;
use phi::KeyStore;
use phi::Keyring;
use phi::KeyringSettings;
use phi::MemoryKeys;
use phi::NewOrganization;
use phi::NewScope;
use phi::OrganizationId;
use phi::Owner;
use phi::OwnerKind;
use phi::PatientId;
use phi::Purpose;
use phi::StoreError;
use phi::WrappedKey;
use phi_types::AuthenticatedRow;
use phi_types::random_bytes;
use phi_types::row_digest;
use sqlx::Executor as _;
use time::Duration;

use crate::server::rows;
use crate::server::rows::id;
use crate::server::rows::noon;
use crate::server::scratch::Scratch;

/// The subject whose rows are requested.
pub(super) const VICTIM: usize = 0;
/// Another person and patient of the same organization.
pub(super) const SAME: usize = 1;
/// Another person and patient, of another organization.
pub(super) const ELSEWHERE: usize = 2;

/// A key store in memory, which the database cannot alter.
#[derive(Clone, Default)]
pub(super) struct Truthful(Arc<MemoryKeys>);

impl KeyStore for Truthful {
    async fn current(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        purpose: Purpose,
    ) -> Result<Option<WrappedKey>, StoreError> {
        self.0.current(organization, owner, purpose).await
    }

    async fn by_ids(
        &self,
        organization: OrganizationId,
        ids: &[KeyId],
    ) -> Result<Vec<WrappedKey>, StoreError> {
        self.0.by_ids(organization, ids).await
    }
}

/// A subject: one genuine row of each table.
pub(super) struct Subject {
    pub(super) organization: OrganizationRow,
    pub(super) person: PersonRow,
    pub(super) credential: CredentialRow,
    pub(super) session: SessionRow,
    pub(super) index_version: IndexVersionRow,
    pub(super) patient: PatientId,
    pub(super) key: WrappedKey,
    pub(super) owner: OwnerRow,
    pub(super) head: ResourceRow,
    pub(super) version: VersionRow,
    pub(super) demographics: DemographicsRow,
    /// The head of the Patient whose fields these are.
    pub(super) patient_head: ResourceRow,
    /// The record number that is sealed in `demographics`.
    pub(super) number: String,
    pub(super) token: PatientToken,
    /// The event that wrote `head`.
    pub(super) event: EventRow,
    pub(super) change: ChangeRow,
    /// The end of the organization's feed.
    counter: ChangeCounterRow,
}

impl Subject {
    pub(super) fn id(&self) -> OrganizationId {
        self.organization.organization
    }

    pub(super) fn patients_owner(&self) -> Owner {
        Owner::Patient(self.patient)
    }
}

/// A database with the rows of all subjects, and a keyring whose keys the database cannot alter.
pub(super) struct World {
    pub(super) scratch: Scratch,
    pub(super) app: Database,
    pub(super) keyring: Keyring<Truthful>,
    pub(super) subjects: Vec<Subject>,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let roots = DevelopmentKeyring::create(&folder.path().join("roots.json")).unwrap();
        let store = Truthful::default();
        let service = KeyService::Development(roots);
        let keyring = Keyring::new(service, store.clone(), KeyringSettings::default());
        let maker = Maker { keyring, store };
        let system = maker.organization(OrganizationId::SYSTEM).await;
        let here = maker.organization(OrganizationId::random()).await;
        let there = maker.organization(OrganizationId::random()).await;
        let scratch = Scratch::migrated().await;
        let app = scratch.app();
        store_floor(&scratch, &system.authorization).await;
        let mut subjects = Vec::new();
        for (number, keys) in [(VICTIM, &here), (SAME, &here), (ELSEWHERE, &there)] {
            let mut subject = maker.subject(keys, &system.authorization, number).await;
            if number == SAME {
                let victim: &Subject = &subjects[VICTIM];
                subject.organization = victim.organization.clone();
                subject.counter = victim.counter.clone();
            }
            store_subject(&app, &subject, number != SAME).await;
            subjects.push(subject);
        }
        Self {
            scratch,
            app,
            keyring: maker.keyring,
            subjects,
        }
    }

    pub(super) fn victim(&self) -> &Subject {
        &self.subjects[VICTIM]
    }
}

/// Generates the keys and rows of subjects.
struct Maker {
    keyring: Keyring<Truthful>,
    store: Truthful,
}

impl Maker {
    async fn organization(&self, id: OrganizationId) -> NewOrganization {
        let keys = self.keyring.new_organization(id, noon()).await.unwrap();
        self.store.0.insert(keys.rows.clone());
        keys
    }

    async fn scope(&self, organization: OrganizationId, owner: Owner) -> NewScope {
        let scope = self.keyring.new_scope(organization, owner, noon()).await;
        let scope = scope.unwrap();
        self.store.0.insert([scope.row.clone()]);
        scope
    }

    /// A subject that differs from every other one in each column, the organization's aside.
    #[expect(clippy::too_many_lines, reason = "one struct, a row of each table")]
    async fn subject(
        &self,
        keys: &NewOrganization,
        system: &AuthorizationKey,
        number: usize,
    ) -> Subject {
        let id = keys.rows[0].organization;
        let nth = u32::try_from(number).unwrap();
        let at = noon() + Duration::days(40 * i64::from(nth));
        let authorization = &keys.authorization;
        let person = authorization.authenticate(PersonRow {
            role: format!("role {number}"),
            active: number == VICTIM,
            created_at: at,
            ..rows::person(id)
        });
        let patient = PatientId::random();
        let scope = self.scope(id, Owner::Patient(patient)).await;
        let mut head = ResourceRow {
            kind: ["Observation", "Condition", "Encounter"][number].to_owned(),
            version: nth + 1,
            updated_at: at,
            ..rows::resource(id, patient, "")
        };
        if number == SAME {
            head.owner_kind = OwnerKind::Organization;
            head.owner = *id.as_bytes();
        }
        let head = authorization.authenticate(head);
        let mut demographics = rows::demographics(id);
        let record_number = format!("MRN-{number}");
        demographics.patient = patient;
        demographics.version = nth + 1;
        let sealed = scope
            .scope
            .seal(demographics.row_id, &Some(record_number.clone()));
        demographics.mrn = sealed.unwrap();
        let entry = scope.scope.seal(demographics.row_id, &b"{}".to_vec());
        demographics.roster_entry = entry.unwrap();
        let demographics = authorization.authenticate(demographics);
        // With another owner, so that it is not part of the chart.
        let patient_head = authorization.authenticate(ResourceRow {
            id: patient.uuid(),
            version: demographics.version,
            ..rows::resource(id, PatientId::random(), "Patient")
        });
        Subject {
            organization: authorization.authenticate(OrganizationRow {
                organization: id,
                created_at: at,
                ..rows::organization()
            }),
            credential: authorization.authenticate(CredentialRow {
                changed_at: at,
                ..rows::credential(&person)
            }),
            session: authorization.authenticate(session(&person, number)),
            index_version: authorization.authenticate(IndexVersionRow {
                normalizer: u16::try_from(number).unwrap(),
                ..rows::index_version(id, u16::try_from(nth).unwrap() + 1)
            }),
            owner: authorization.authenticate(OwnerRow {
                holds: nth,
                key_version: nth + 1,
                audit_year: Some(2026 - u16::try_from(nth).unwrap()),
                ..rows::owner(id, &Owner::Patient(patient))
            }),
            version: authorization.authenticate(rows::version_of(&head)),
            event: self
                .event(&head, &patient_head, &demographics, system)
                .await,
            demographics,
            patient_head,
            token: PatientToken {
                parameter: IndexParameter::OF_PATIENTS[number],
                version: u16::try_from(nth).unwrap() + 1,
                token: rows::token(),
                unique: true,
            },
            number: record_number,
            change: authorization.authenticate(ChangeRow {
                sequence: u64::from(nth) + 1,
                ..rows::change(id)
            }),
            counter: authorization.authenticate(ChangeCounterRow {
                sequence: u64::from(nth) + 1,
                access: u64::from(nth) + 1,
                ..rows::change_counter(id)
            }),
            key: scope.row,
            person,
            patient,
            head,
        }
    }

    /// The event that wrote `head` and the patient's rows.
    async fn event(
        &self,
        head: &ResourceRow,
        patient_head: &ResourceRow,
        demographics: &DemographicsRow,
        system: &AuthorizationKey,
    ) -> EventRow {
        let rows = vec![written(head), written(patient_head), written(demographics)];
        let unplaced = UnplacedEvent {
            event: id(),
            organization: head.organization.uuid(),
            at: head.updated_at,
            commitment: Commitment(random_bytes()),
            rows: RowsCommitment::of(&rows),
        };
        let entry = HashChain::begin(id()).place(&[unplaced])[0].clone();
        // Another year for each event, since an organization has one key for each year.
        let year = Owner::AuditYear(2026 - u16::try_from(head.version).unwrap());
        let scope = self.scope(head.organization, year).await.scope;
        EventRow {
            mac_key: system.key_id(),
            mac: system.message_mac("audit-entry", &entry.encode()),
            body: scope.seal(entry.event.into(), &b"body".to_vec()).unwrap(),
            rows,
            entry,
        }
    }
}

/// Replaces the floor of `Scratch`, whose MAC verifies under no key, by a genuine one.
async fn store_floor(scratch: &Scratch, system: &AuthorizationKey) {
    let mut owner = scratch.connect("migrate").await;
    owner.execute("DELETE FROM release_floor").await.unwrap();
    let floor = system.authenticate(rows::release_floor());
    let first = scratch.app().begin_with_first_floor(&floor).await.unwrap();
    first.commit().await.unwrap();
}

fn written<R: AuthenticatedRow>(row: &R) -> WrittenRow {
    WrittenRow {
        table: R::TABLE.tag,
        row: row.row_id(),
        digest: row_digest(row),
    }
}

fn session(person: &PersonRow, number: usize) -> SessionRow {
    let later = Duration::hours(i64::try_from(number).unwrap());
    let mut row = rows::session(person);
    row.kind = format!("kind {number}");
    row.method = format!("method {number}");
    row.authenticated_at += later;
    row.expires_at += later;
    row.seen_at += later;
    row.ended_at = (number == VICTIM).then_some(row.seen_at);
    row
}

async fn store_subject(app: &Database, subject: &Subject, with_organization: bool) {
    let mut transaction = app.begin().await.unwrap();
    if with_organization {
        transaction
            .insert_organization(&subject.organization)
            .await
            .unwrap();
        transaction
            .insert_change_counter(&subject.counter)
            .await
            .unwrap();
    }
    let end = &subject.counter;
    transaction
        .append_changes(from_ref(&subject.change), end, end.mac.as_bytes())
        .await
        .unwrap();
    transaction.insert_person(&subject.person).await.unwrap();
    transaction
        .insert_credential(&subject.credential)
        .await
        .unwrap();
    transaction.insert_session(&subject.session).await.unwrap();
    transaction
        .insert_keys(from_ref(&subject.key))
        .await
        .unwrap();
    transaction
        .insert_owners(from_ref(&subject.owner))
        .await
        .unwrap();
    transaction
        .insert_index_version(&subject.index_version)
        .await
        .unwrap();
    let heads = [subject.head.clone(), subject.patient_head.clone()];
    transaction.insert_resources(&heads).await.unwrap();
    let version = rows::version_of(&subject.patient_head);
    transaction.insert_versions(&[version]).await.unwrap();
    transaction
        .insert_versions(from_ref(&subject.version))
        .await
        .unwrap();
    transaction
        .replace_demographics(&subject.demographics, true)
        .await
        .unwrap();
    transaction
        .replace_patient_tokens(subject.id(), subject.patient, &[subject.token], true)
        .await
        .unwrap();
    transaction
        .insert_events(from_ref(&subject.event))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}
