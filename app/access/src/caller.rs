//! The caller: an authenticated person or machine client, constructed from verified rows only.

use std::fmt;
use std::net::IpAddr;

use audit::Assurance;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::AssuranceLevel;
use crate::ChartAccess;
use crate::DataClass;
use crate::Operation;
use crate::Role;
use crate::Scopes;
use crate::authorize;
use crate::evidence::CallerError;
use crate::evidence::Credential;
use crate::evidence::EmergencyClaims;
use crate::evidence::PersonClaims;
use crate::evidence::PersonEvidence;
use crate::evidence::SessionClaims;
use crate::evidence::SessionEvidence;
use crate::ids::OrganizationId;
use crate::ids::PatientId;
use crate::ids::Verified;

/// The origin of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestOrigin {
    /// The request id that the web tier assigned.
    pub request: Uuid,
    /// The client's address, as the web tier reports it.
    pub source: Option<IpAddr>,
}

/// An authenticated person or machine client, for one request.
///
/// Neither `Clone` nor `Copy`: permits borrow from it, so none outlives the request. A request's
/// extensions hold it behind an `Arc`.
pub struct Caller {
    organization: OrganizationId,
    person: Uuid,
    role: Role,
    session: Uuid,
    credential: Credential,
    assurance: Assurance,
    authenticated_at: OffsetDateTime,
    at: OffsetDateTime,
    origin: RequestOrigin,
    own_chart: Option<PatientId>,
    charts: Option<ChartAccess>,
    scopes: Option<Scopes>,
}

impl Caller {
    /// The caller that the row of a session or token and the row of its person identify, of a request at the time `at`.
    ///
    /// Expiry is not checked here: the identity service, which has the settings, has checked it.
    ///
    /// # Errors
    ///
    /// See [`CallerError`]: the rows contradict each other, or the person may not act.
    pub fn authenticated<S: SessionEvidence, P: PersonEvidence>(
        session: &Verified<S::Row>,
        person: &Verified<P::Row>,
        origin: RequestOrigin,
        at: OffsetDateTime,
    ) -> Result<Self, CallerError> {
        Self::consistent(S::claims(session), &P::claims(person), origin, at)
    }

    /// The caller with the charts that permissions of the reach [`CareTeam`](crate::Reach::CareTeam) include. Without them,
    /// such permissions include none.
    ///
    /// # Errors
    ///
    /// [`CallerError::OtherOrganization`], [`CallerError::OtherPerson`].
    pub fn with_charts(self, charts: ChartAccess) -> Result<Self, CallerError> {
        if charts.organization != self.organization {
            return Err(CallerError::OtherOrganization);
        }
        if charts.person != self.person {
            return Err(CallerError::OtherPerson);
        }
        Ok(Self {
            charts: Some(charts),
            ..self
        })
    }

    /// The caller of claims that agree with each other.
    pub(crate) fn consistent(
        session: SessionClaims,
        person: &PersonClaims,
        origin: RequestOrigin,
        at: OffsetDateTime,
    ) -> Result<Self, CallerError> {
        if session.organization != person.organization {
            return Err(CallerError::OtherOrganization);
        }
        if session.person != person.id {
            return Err(CallerError::OtherPerson);
        }
        if !person.active {
            return Err(CallerError::Inactive);
        }
        let is_ended = |since| session.authenticated_at < since;
        if person.sessions_since.is_some_and(is_ended) {
            return Err(CallerError::Ended);
        }
        // A token must not gain the permissions of a role that its person has been given since.
        if session.role.is_some_and(|role| role != person.role) {
            return Err(CallerError::RoleChanged);
        }
        let role = person.role.parse().or(Err(CallerError::UnknownRole))?;
        // Without a chart, the reach of a patient's permissions would be undefined.
        if role == Role::Patient && person.own_chart.is_none() {
            return Err(CallerError::ChartMissing);
        }
        // A machine client signs in by an assertion, which grants scopes; a token without is of another origin.
        if role == Role::Service && session.scopes.is_none() {
            return Err(CallerError::ScopesMissing);
        }
        Ok(Self {
            organization: person.organization,
            person: person.id,
            role,
            session: session.id,
            credential: session.credential,
            assurance: session.assurance,
            authenticated_at: session.authenticated_at,
            at,
            origin,
            own_chart: person.own_chart,
            charts: None,
            scopes: session.scopes,
        })
    }

    /// Whether the policy grants the caller an operation on some records of a class, for example to
    /// decide which links a page has. It is not evidence: [`permit`](crate::permit) decides about
    /// actions.
    #[must_use]
    pub fn may(&self, operation: Operation, class: DataClass) -> bool {
        authorize(self.role, operation, class)
            .is_some_and(|permission| permission.assurance <= self.assurance_level())
    }

    /// The only organization whose records the caller can act on.
    #[must_use]
    pub const fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// The person.
    #[must_use]
    pub const fn person(&self) -> Uuid {
        self.person
    }

    /// The person's role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The id of the session or token.
    #[must_use]
    pub const fn session(&self) -> Uuid {
        self.session
    }

    /// The stored credential of the session or token, by which it is ended.
    #[must_use]
    pub const fn credential(&self) -> Credential {
        self.credential
    }

    /// The method by which the session or token was authenticated.
    #[must_use]
    pub const fn assurance(&self) -> Assurance {
        self.assurance
    }

    /// The strength of that method, and whether it was used recently.
    #[must_use]
    pub fn assurance_level(&self) -> AssuranceLevel {
        AssuranceLevel::of(self.assurance, self.at - self.authenticated_at)
    }

    /// The time at which the session or token was authenticated.
    #[must_use]
    pub const fn authenticated_at(&self) -> OffsetDateTime {
        self.authenticated_at
    }

    /// The origin of the request.
    #[must_use]
    pub const fn origin(&self) -> RequestOrigin {
        self.origin
    }

    /// The caller's own chart; none unless the caller is a patient.
    #[must_use]
    pub const fn own_chart(&self) -> Option<PatientId> {
        self.own_chart
    }

    /// The scopes that limit the caller; none unless the caller is a machine client.
    #[must_use]
    pub const fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }

    /// The charts that permissions of the reach [`CareTeam`](crate::Reach::CareTeam) include; none if they were not read.
    #[must_use]
    pub const fn charts(&self) -> Option<&ChartAccess> {
        self.charts.as_ref()
    }

    /// Whether permissions of the reach [`CareTeam`](crate::Reach::CareTeam) include a patient's chart.
    #[must_use]
    pub fn reaches_chart(&self, patient: PatientId) -> bool {
        let charts = self.charts.as_ref();
        charts.is_some_and(|charts| charts.includes(patient, self.at))
    }

    /// The emergency access by which alone the caller reaches a patient's chart.
    #[must_use]
    pub fn emergency_access(&self, patient: PatientId) -> Option<&EmergencyClaims> {
        self.charts.as_ref()?.emergency(patient, self.at)
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("organization", &self.organization)
            .field("person", &self.person)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
