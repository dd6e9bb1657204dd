//! The generator of keys and rows of subjects.

use audit::Commitment;
use audit::HashChain;
use audit::RowsCommitment;
use audit::UnplacedEvent;
use audit::WrittenRow;
use db::AuthenticatorRow;
use db::CareTeamMemberRow;
use db::ChangeCounterRow;
use db::ChangeRow;
use db::ClientRow;
use db::CredentialRow;
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
use db::SessionRow;
use phi::AuthorizationKey;
use phi::IndexParameter;
use phi::Keyring;
use phi::NewOrganization;
use phi::NewScope;
use phi::OrganizationId;
use phi::Owner;
use phi::OwnerKind;
use phi::PatientId;
use phi_types::AuthenticatedRow;
use phi_types::Deleted;
use phi_types::random_bytes;
use phi_types::row_digest;
use time::Duration;

use super::SAME;
use super::Subject;
use super::TrustedKeys;
use super::VICTIM;
use crate::server::rows;
use crate::server::rows::id;
use crate::server::rows::noon;

/// Generates the keys and rows of subjects.
pub(super) struct Maker {
    pub(super) keyring: Keyring<TrustedKeys>,
    pub(super) store: TrustedKeys,
}

impl Maker {
    pub(super) async fn organization(&self, id: OrganizationId) -> NewOrganization {
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
    pub(super) async fn subject(
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
            deleted: (number == SAME).then_some(Deleted),
            ..rows::resource(id, patient, "")
        };
        if number == SAME {
            head.owner_kind = OwnerKind::Organization;
            head.owner = *id.as_bytes();
        }
        let head = authorization.authenticate(head);
        let mut summary = rows::summary_of(&head);
        let named = head.version_row.as_bytes().to_vec();
        summary.summary = scope.scope.seal(summary.row_id, &named).unwrap();
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
            authenticator: authorization.authenticate(authenticator(&person, number)),
            member: authorization.authenticate(CareTeamMemberRow {
                added_at: at,
                ended_at: (number == SAME).then_some(at),
                ..rows::care_team_member(&person, patient)
            }),
            emergency: authorization.authenticate(emergency(&person, patient, number)),
            client: authorization.authenticate(client(&person, number)),
            session: authorization.authenticate(session(&person, number)),
            export: authorization.authenticate(export(&person, number)),
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
            summary,
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

fn written<R: AuthenticatedRow>(row: &R) -> WrittenRow {
    WrittenRow {
        table: R::TABLE.tag,
        row: row.row_id(),
        digest: row_digest(row),
    }
}

fn authenticator(person: &PersonRow, number: usize) -> AuthenticatorRow {
    let later = Duration::hours(i64::try_from(number).unwrap());
    let mut row = rows::authenticator(person);
    row.kind = format!("kind {number}");
    row.created_at += later;
    row.ended_at = row.ended_at.filter(|_| number == SAME);
    row
}

fn emergency(person: &PersonRow, patient: PatientId, number: usize) -> EmergencyAccessRow {
    let later = Duration::hours(i64::try_from(number).unwrap());
    let mut row = rows::emergency_access(person, patient);
    row.began_at += later;
    row.ends_at += later;
    row.reviewed_at = row.reviewed_at.filter(|_| number != VICTIM);
    row.appropriate = Some(number == VICTIM);
    row
}

fn client(person: &PersonRow, number: usize) -> ClientRow {
    let later = Duration::hours(i64::try_from(number).unwrap());
    let mut row = rows::client(person);
    row.scopes = format!("scope {number}");
    row.jwks = format!("keys {number}");
    row.created_at += later;
    row.keys_at += later;
    row.ended_at = row.ended_at.filter(|_| number == SAME);
    row
}

fn session(person: &PersonRow, number: usize) -> SessionRow {
    let later = Duration::hours(i64::try_from(number).unwrap());
    let mut row = rows::session(person);
    row.kind = format!("kind {number}");
    row.method = format!("method {number}");
    row.scopes = Some(format!("scope {number}"));
    row.authenticated_at += later;
    row.expires_at += later;
    row.seen_at += later;
    row.ended_at = (number != VICTIM).then_some(row.seen_at);
    row
}

fn export(person: &PersonRow, number: usize) -> ExportRow {
    let later = Duration::hours(i64::try_from(number).unwrap());
    let mut row = rows::export(person);
    row.requested_at += later;
    row.expires_at += later;
    row.ended_at = row.ended_at.filter(|_| number == VICTIM);
    row
}
