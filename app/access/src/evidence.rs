//! The evidence from which a [`Caller`](crate::Caller) is constructed.
//!
//! The row types belong to the database crate. An adapter names a row type and reads its claims.
//! `phi::Verified` is the evidence that this stack wrote the row; only the crate `phi` constructs it.

use audit::Assurance;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ids::OrganizationId;
use crate::ids::PatientId;
use crate::scopes::Scopes;

/// An adapter for the row of a session or bearer token.
pub trait SessionEvidence {
    /// The stored row.
    type Row;

    /// The claims of the row.
    fn claims(row: &Self::Row) -> SessionClaims;
}

/// The claims of a session or token row.
#[derive(Clone, Debug)]
pub struct SessionClaims {
    /// The organization of the session.
    pub organization: OrganizationId,
    /// The person who authenticated.
    pub person: Uuid,
    /// The id of the session or token.
    pub id: Uuid,
    /// The role that a token was issued for; none if the person's current role applies.
    pub role: Option<String>,
    /// The method of authentication.
    pub assurance: Assurance,
    /// The scopes of the token of a machine client.
    pub scopes: Option<Scopes>,
    /// The time of authentication.
    pub authenticated_at: OffsetDateTime,
    /// The stored credential.
    pub credential: Credential,
}

/// An adapter for the row of a person.
pub trait PersonEvidence {
    /// The stored row.
    type Row;

    /// The claims of the row.
    fn claims(row: &Self::Row) -> PersonClaims;
}

/// The claims of a person row.
#[derive(Clone, Debug)]
pub struct PersonClaims {
    /// The organization that the person belongs to.
    pub organization: OrganizationId,
    /// The person.
    pub id: Uuid,
    /// The name of the person's role.
    pub role: String,
    /// Whether the person may sign in and act.
    pub active: bool,
    /// The time before which sessions and tokens were authenticated that are not in force any more.
    pub sessions_since: Option<OffsetDateTime>,
    /// The person's own chart; none unless the person is a patient.
    pub own_chart: Option<PatientId>,
}

/// An adapter for the row of an organization.
pub trait ChartPolicyEvidence {
    /// The stored row.
    type Row;

    /// The claims of the row.
    fn claims(row: &Self::Row) -> ChartPolicyClaims;
}

/// The claims of an organization row about access to charts.
#[derive(Clone, Copy, Debug)]
pub struct ChartPolicyClaims {
    /// The organization.
    pub organization: OrganizationId,
    /// Whether its clinicians reach all charts, and not only those of their care teams.
    pub opens_all_charts: bool,
}

/// An adapter for the row of a care team membership.
pub trait CareTeamEvidence {
    /// The stored row.
    type Row;

    /// The claims of the row.
    fn claims(row: &Self::Row) -> CareTeamClaims;
}

/// The claims of a care team membership row.
#[derive(Clone, Copy, Debug)]
pub struct CareTeamClaims {
    /// The organization.
    pub organization: OrganizationId,
    /// The member.
    pub person: Uuid,
    /// The patient.
    pub patient: PatientId,
    /// Whether the membership has not ended.
    pub active: bool,
}

/// An adapter for the row of an emergency access.
pub trait EmergencyEvidence {
    /// The stored row.
    type Row;

    /// The claims of the row.
    fn claims(row: &Self::Row) -> EmergencyClaims;
}

/// The claims of an emergency access row (45 CFR 164.312(a)(2)(ii)).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EmergencyClaims {
    /// The organization.
    pub organization: OrganizationId,
    /// The person that the access is granted to.
    pub person: Uuid,
    /// The patient whose chart it opens.
    pub patient: PatientId,
    /// The time from which it is not in force any more.
    pub until: OffsetDateTime,
}

/// The stored credential of a session or token: sufficient to end it, useless to authenticate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Credential {
    /// The kind of credential.
    pub kind: CredentialKind,
    /// The hash by which the row is looked up.
    pub hash: [u8; 32],
}

/// The kind of a credential.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CredentialKind {
    /// A session cookie.
    Session,
    /// A bearer token.
    Token,
}

/// The reason why verified rows do not identify a caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CallerError {
    /// The rows belong to different organizations.
    #[error("the rows belong to different organizations")]
    OtherOrganization,
    /// The rows are about different people.
    #[error("the rows are about different people")]
    OtherPerson,
    /// The person is deactivated.
    #[error("the person is not active")]
    Inactive,
    /// All sessions and tokens of the person were ended since.
    #[error("all sessions of the person were ended")]
    Ended,
    /// The person's role is not one of this release.
    #[error("the person's role is unknown")]
    UnknownRole,
    /// The token was issued for a role that the person no longer has.
    #[error("the token was issued for another role")]
    RoleChanged,
    /// The person is a patient without a chart.
    #[error("the person is a patient without a chart")]
    ChartMissing,
    /// The token is that of a machine client, and has no scopes.
    #[error("the token of the machine client has no scopes")]
    ScopesMissing,
}
