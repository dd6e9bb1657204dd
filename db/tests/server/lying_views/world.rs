//! The test data: genuine rows of three subjects, authenticated and sealed with real keys, in a database and in memory.

mod maker;

use std::slice::from_ref;
use std::sync::Arc;

use db::AuthenticatorRow;
use db::CareTeamMemberRow;
use db::ChangeCounterRow;
use db::ChangeRow;
use db::ClientRow;
use db::CredentialRow;
use db::Database;
use db::DemographicsRow;
use db::EmergencyAccessRow;
use db::EventRow;
use db::ExportRow;
use db::IndexVersionRow;
use db::OrganizationRow;
use db::OwnerRow;
use db::PatientToken;
use db::PersonRow;
use db::ResourceRow;
use db::SearchSummaryRow;
use db::SessionRow;
use db::Transaction;
use db::VersionRow;
use phi::AuthorizationKey;
use phi::DevelopmentKeyring;
use phi::KeyId;
use phi::KeyService;
use phi::KeyStore;
use phi::Keyring;
use phi::KeyringSettings;
use phi::MemoryKeys;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::Purpose;
use phi::StoreError;
use phi::WrappedKey;
use sqlx::Executor as _;

use self::maker::Maker;
use crate::server::rows;
use crate::server::scratch::Scratch;

/// The subject whose rows are requested.
pub(super) const VICTIM: usize = 0;
/// Another person and patient of the same organization.
pub(super) const SAME: usize = 1;
/// Another person and patient, of another organization.
pub(super) const ELSEWHERE: usize = 2;

/// A key store in memory, which the database cannot alter.
#[derive(Clone, Default)]
pub(super) struct TrustedKeys(Arc<MemoryKeys>);

impl KeyStore for TrustedKeys {
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
    pub(super) authenticator: AuthenticatorRow,
    pub(super) member: CareTeamMemberRow,
    pub(super) emergency: EmergencyAccessRow,
    pub(super) client: ClientRow,
    pub(super) session: SessionRow,
    pub(super) export: ExportRow,
    pub(super) index_version: IndexVersionRow,
    pub(super) patient: PatientId,
    pub(super) key: WrappedKey,
    pub(super) owner: OwnerRow,
    pub(super) head: ResourceRow,
    pub(super) version: VersionRow,
    /// The search summary of `head`, which names its version.
    pub(super) summary: SearchSummaryRow,
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
    pub(super) keyring: Keyring<TrustedKeys>,
    pub(super) subjects: Vec<Subject>,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let roots = DevelopmentKeyring::create(&folder.path().join("roots.json")).unwrap();
        let store = TrustedKeys::default();
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

/// Replaces the floor of `Scratch`, whose MAC verifies under no key, by a genuine one.
async fn store_floor(scratch: &Scratch, system: &AuthorizationKey) {
    let mut owner = scratch.connect("migrate").await;
    owner.execute("DELETE FROM release_floor").await.unwrap();
    let floor = system.authenticate(rows::release_floor());
    let first = scratch.app().begin_with_first_floor(&floor).await.unwrap();
    first.commit().await.unwrap();
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
    insert_person(&mut transaction, subject).await;
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
    let versions = [
        rows::version_of(&subject.patient_head),
        subject.version.clone(),
    ];
    transaction.insert_versions(&versions).await.unwrap();
    transaction
        .replace_search_summaries(from_ref(&subject.summary))
        .await
        .unwrap();
    transaction
        .replace_demographics(&subject.demographics, true)
        .await
        .unwrap();
    transaction
        .insert_patient_tokens(subject.id(), subject.patient, &[subject.token])
        .await
        .unwrap();
    transaction
        .insert_events(from_ref(&subject.event))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

/// Inserts a subject's person, and what belongs to that person.
async fn insert_person(transaction: &mut Transaction, subject: &Subject) {
    transaction.insert_person(&subject.person).await.unwrap();
    transaction
        .insert_credential(&subject.credential)
        .await
        .unwrap();
    transaction
        .insert_authenticators(from_ref(&subject.authenticator))
        .await
        .unwrap();
    transaction
        .insert_care_team_members(from_ref(&subject.member))
        .await
        .unwrap();
    transaction
        .insert_emergency_access(&subject.emergency)
        .await
        .unwrap();
    transaction.insert_client(&subject.client).await.unwrap();
    transaction.insert_session(&subject.session).await.unwrap();
    transaction.insert_export(&subject.export).await.unwrap();
}
