//! The claims in the rows of sessions and people, from which [`access::Caller`] is built.

use access::Credential;
use access::CredentialKind;
use access::PersonClaims;
use access::PersonEvidence;
use access::SessionClaims;
use access::SessionEvidence;
use audit::Assurance;
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
            own_chart: None,
        }
    }
}
