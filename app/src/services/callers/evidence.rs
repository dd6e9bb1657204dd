//! The claims in the rows of sessions, people, organizations, care teams and emergency accesses, from which [`access::Caller`] is built.

use access::CareTeamClaims;
use access::CareTeamEvidence;
use access::ChartPolicyClaims;
use access::ChartPolicyEvidence;
use access::Credential;
use access::CredentialKind;
use access::EmergencyClaims;
use access::EmergencyEvidence;
use access::PersonClaims;
use access::PersonEvidence;
use access::Scopes;
use access::SessionClaims;
use access::SessionEvidence;
use audit::Assurance;
use db::CareTeamMemberRow;
use db::EmergencyAccessRow;
use db::OrganizationRow;
use db::PersonRow;
use db::SessionRow;

/// The permanent label of a kind of session, in its token's hash and in its row.
pub(crate) const fn label(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Session => "session",
        CredentialKind::Token => "bearer",
    }
}

/// The authentication methods, by their permanent names in rows.
const METHODS: [(&str, Assurance); 5] = [
    ("password", Assurance::Password),
    ("password-and-code", Assurance::PasswordAndCode),
    ("passkey", Assurance::Passkey),
    ("token", Assurance::Token),
    ("client-assertion", Assurance::ClientAssertion),
];

/// The permanent name of an authentication method in rows.
pub(crate) fn method(assurance: Assurance) -> &'static str {
    let method = METHODS.iter().find(|(_, it)| *it == assurance);
    // A name that reads back as the weakest method.
    method.map_or("unknown", |(name, _)| name)
}

/// The claims in a session's row.
pub(super) struct StoredSession;

impl SessionEvidence for StoredSession {
    type Row = SessionRow;

    fn claims(row: &SessionRow) -> SessionClaims {
        let kind = if row.kind == label(CredentialKind::Session) {
            CredentialKind::Session
        } else {
            CredentialKind::Token
        };
        let method = METHODS.iter().find(|(name, _)| *name == row.method);
        SessionClaims {
            organization: row.organization,
            person: row.person.uuid(),
            id: row.id.uuid(),
            role: Some(row.role.clone()),
            // An unknown method, as of a later release, counts as the weakest.
            assurance: method.map_or(Assurance::Password, |(_, assurance)| *assurance),
            // The types were known when the token was issued; one that is no longer known covers no record.
            scopes: row
                .scopes
                .as_deref()
                .map(|scopes| Scopes::parse(scopes, |_| true)),
            authenticated_at: row.authenticated_at,
            credential: Credential {
                kind,
                hash: row.token_hash,
            },
        }
    }
}

/// The claims in a person's row.
pub(super) struct StoredPerson;

impl PersonEvidence for StoredPerson {
    type Row = PersonRow;

    fn claims(row: &PersonRow) -> PersonClaims {
        PersonClaims {
            organization: row.organization,
            id: row.id.uuid(),
            role: row.role.clone(),
            active: row.active,
            sessions_since: row.sessions_since,
            own_chart: None,
        }
    }
}

/// The claims in an organization's row.
pub(super) struct StoredOrganization;

impl ChartPolicyEvidence for StoredOrganization {
    type Row = OrganizationRow;

    fn claims(row: &OrganizationRow) -> ChartPolicyClaims {
        ChartPolicyClaims {
            organization: row.organization,
            opens_all_charts: row.opens_all_charts(),
        }
    }
}

/// The claims in the row of a membership.
pub(super) struct StoredMembership;

impl CareTeamEvidence for StoredMembership {
    type Row = CareTeamMemberRow;

    fn claims(row: &CareTeamMemberRow) -> CareTeamClaims {
        CareTeamClaims {
            organization: row.organization,
            person: row.person.uuid(),
            patient: row.patient,
            active: row.ended_at.is_none(),
        }
    }
}

/// The claims in the row of an emergency access.
pub(super) struct StoredEmergency;

impl EmergencyEvidence for StoredEmergency {
    type Row = EmergencyAccessRow;

    fn claims(row: &EmergencyAccessRow) -> EmergencyClaims {
        EmergencyClaims {
            organization: row.organization,
            person: row.person.uuid(),
            patient: row.patient,
            until: row.ends_at,
        }
    }
}
