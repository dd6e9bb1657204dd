//! Sample rows with every column filled, no two alike. Their sealed values and MACs are random bytes, since this crate
//! opens and verifies nothing. (Genuine ones are in `lying_views/world.rs`.)

use db::AuthenticatorRow;
use db::CareTeamMemberRow;
use db::ChangeCounterRow;
use db::ChangeRow;
use db::ClientRow;
use db::CredentialRow;
use db::DemographicsRow;
use db::EmergencyAccessRow;
use db::ExportRow;
use db::IndexVersionRow;
use db::OrganizationRow;
use db::OwnerRow;
use db::PersonRow;
use db::RELEASE;
use db::ReleaseFloorRow;
use db::ResourceRow;
use db::SearchSummaryRow;
use db::SessionRow;
use db::VersionRow;
use phi_types::AuthenticatedRow;
use phi_types::ChangeKind;
use phi_types::IndexState;
use phi_types::IndexToken;
use phi_types::KeyId;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::OwnerKind;
use phi_types::OwnerState;
use phi_types::PatientId;
use phi_types::PersonId;
use phi_types::RowId;
use phi_types::RowMac;
use phi_types::Sealed;
use phi_types::SessionId;
use phi_types::random_bytes;
use phi_types::row_digest;
use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// 2026-11-23T12:13:14.123456Z: a time with the precision of a column.
pub(super) fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(1_795_435_994_123_456_000).unwrap()
}

/// A new random id.
pub(super) fn id() -> Uuid {
    RowId::random().uuid()
}

/// A MAC of random bytes under a random key id.
pub(super) fn mac() -> RowMac {
    RowMac::new(KeyId::random(), random_bytes())
}

/// An index token that no other row has.
pub(super) fn token() -> IndexToken {
    IndexToken::from_bytes(random_bytes())
}

/// A sealed value of 200 bytes.
pub(super) fn sealed<T>() -> Sealed<T> {
    let mut bytes = vec![0xE1, 1];
    bytes.extend_from_slice(id().as_bytes());
    bytes.extend(0..=255);
    bytes.truncate(200);
    Sealed::from_bytes(bytes)
}

/// An organization.
pub(super) fn organization() -> OrganizationRow {
    OrganizationRow {
        organization: OrganizationId::random(),
        name: format!("Clinic {}", id().simple()),
        created_at: noon(),
        chart_access: Some("care-team".to_owned()),
        mac: mac(),
    }
}

/// An owner with every column filled.
pub(super) fn owner(organization: OrganizationId, owner: &Owner) -> OwnerRow {
    OwnerRow {
        organization,
        owner_kind: owner.kind(),
        owner: owner.id(organization),
        row_id: RowId::random(),
        state: OwnerState::Live,
        holds: 2,
        key_version: 1,
        tombstone: Some(id()),
        audit_year: Some(2026),
        heads: sealed(),
        mac: mac(),
    }
}

/// A release floor at the release of this build.
pub(super) fn release_floor() -> ReleaseFloorRow {
    ReleaseFloorRow {
        organization: OrganizationId::SYSTEM,
        row_id: RowId::random(),
        lowest: RELEASE,
        raised_at: noon(),
        mac: mac(),
    }
}

/// A live version of the blind index.
pub(super) fn index_version(organization: OrganizationId, version: u16) -> IndexVersionRow {
    IndexVersionRow {
        organization,
        version,
        row_id: RowId::random(),
        index_key: KeyId::random(),
        normalizer: 1,
        state: IndexState::Live,
        mac: mac(),
    }
}

/// The first change of a feed.
pub(super) fn change(organization: OrganizationId) -> ChangeRow {
    ChangeRow {
        organization,
        row_id: RowId::random(),
        incarnation: id(),
        sequence: 1,
        previous: random_bytes(),
        kind: ChangeKind::Session,
        subject: id(),
        mac: mac(),
    }
}

/// The end of a feed that is empty.
pub(super) fn change_counter(organization: OrganizationId) -> ChangeCounterRow {
    ChangeCounterRow {
        organization,
        incarnation: id(),
        sequence: 0,
        digest: random_bytes(),
        access: 0,
        mac: mac(),
    }
}

/// A bulk export of a person that has ended.
pub(super) fn export(person: &PersonRow) -> ExportRow {
    ExportRow {
        organization: person.organization,
        id: id(),
        row_id: RowId::random(),
        person: person.id,
        requested_at: noon(),
        expires_at: noon() + Duration::hours(24),
        request: sealed(),
        state: sealed(),
        ended_at: Some(noon() + Duration::minutes(9)),
        mac: mac(),
    }
}

/// The head of a new resource of a patient.
pub(super) fn resource(
    organization: OrganizationId,
    patient: PatientId,
    kind: &str,
) -> ResourceRow {
    ResourceRow {
        organization,
        owner_kind: OwnerKind::Patient,
        owner: *patient.as_bytes(),
        kind: kind.to_owned(),
        id: id(),
        row_id: RowId::random(),
        version: 1,
        version_row: RowId::random(),
        updated_at: noon(),
        version_digest: random_bytes(),
        deleted: None,
        mac: mac(),
    }
}

/// The version that a head names.
pub(super) fn version_of(head: &ResourceRow) -> VersionRow {
    VersionRow {
        organization: head.organization,
        owner_kind: head.owner_kind,
        owner: head.owner,
        kind: head.kind.clone(),
        id: head.id,
        version: head.version,
        row_id: head.version_row,
        at: head.updated_at,
        body: sealed(),
        deleted: head.deleted,
        mac: mac(),
    }
}

/// The search summary of a head.
pub(super) fn summary_of(head: &ResourceRow) -> SearchSummaryRow {
    SearchSummaryRow {
        organization: head.organization,
        owner_kind: head.owner_kind,
        owner: head.owner,
        kind: head.kind.clone(),
        id: head.id,
        row_id: RowId::random(),
        summary: sealed(),
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
        roster_entry: sealed(),
        mac: mac(),
    }
}

/// A person who can sign in.
pub(super) fn person(organization: OrganizationId) -> PersonRow {
    PersonRow {
        organization,
        id: PersonId::random(),
        row_id: RowId::random(),
        email_token: token(),
        email: sealed(),
        name: sealed(),
        role: "clinician".to_owned(),
        active: true,
        created_at: noon(),
        sessions_since: Some(noon()),
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
        second_factor_at: Some(noon()),
        authenticator_changes: Some(3),
        recovery_codes_at: Some(noon()),
        mac: mac(),
    }
}

/// An authenticator with every column filled.
pub(super) fn authenticator(person: &PersonRow) -> AuthenticatorRow {
    AuthenticatorRow {
        organization: person.organization,
        id: id(),
        row_id: RowId::random(),
        person: person.id,
        kind: "totp".to_owned(),
        secret: sealed(),
        created_at: noon(),
        confirmed_at: Some(noon()),
        last_counter: Some(59_847_866),
        ended_at: Some(noon()),
        challenged_at: Some(noon()),
        mac: mac(),
    }
}

/// A membership in a care team.
pub(super) fn care_team_member(person: &PersonRow, patient: PatientId) -> CareTeamMemberRow {
    CareTeamMemberRow {
        organization: person.organization,
        patient,
        person: person.id,
        row_id: RowId::random(),
        added_at: noon(),
        added_by: PersonId::random(),
        ended_at: None,
        mac: mac(),
    }
}

/// An emergency access that was reviewed.
pub(super) fn emergency_access(person: &PersonRow, patient: PatientId) -> EmergencyAccessRow {
    EmergencyAccessRow {
        organization: person.organization,
        id: id(),
        row_id: RowId::random(),
        patient,
        person: person.id,
        reason: sealed(),
        began_at: noon(),
        ends_at: noon() + time::Duration::HOUR,
        reviewed_at: Some(noon() + time::Duration::DAY),
        reviewed_by: Some(PersonId::random()),
        appropriate: Some(true),
        finding: Some(sealed()),
        mac: mac(),
    }
}

/// A machine client that was removed.
pub(super) fn client(person: &PersonRow) -> ClientRow {
    ClientRow {
        organization: person.organization,
        person: person.id,
        row_id: RowId::random(),
        scopes: "system/*.rs".to_owned(),
        jwks: r#"{"keys":[]}"#.to_owned(),
        created_at: noon(),
        created_by: Some(id()),
        keys_at: noon(),
        ended_at: Some(noon()),
        mac: mac(),
    }
}

/// A session of eight hours.
pub(super) fn session(person: &PersonRow) -> SessionRow {
    SessionRow {
        token_hash: random_bytes(),
        organization: person.organization,
        id: SessionId::random(),
        kind: "session".to_owned(),
        person: person.id,
        role: person.role.clone(),
        method: "password".to_owned(),
        authenticated_at: noon(),
        expires_at: noon() + Duration::hours(8),
        seen_at: noon(),
        ended_at: None,
        scopes: Some("system/*.rs".to_owned()),
        mac: mac(),
    }
}

/// Asserts that two rows are equal in every column, including volatile ones and the MAC.
#[track_caller]
pub(super) fn assert_same<R: AuthenticatedRow>(found: &R, stored: &R) {
    let bytes = |row: &R| phi_types::authenticated_bytes(row, row.mac().key());
    assert_eq!(bytes(found), bytes(stored), "{}", R::TABLE.name);
    assert_eq!(row_digest(found), row_digest(stored), "{}", R::TABLE.name);
    assert_eq!(found.mac(), stored.mac(), "{}", R::TABLE.name);
}
