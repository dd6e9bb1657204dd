//! The caller: an authenticated person or machine client, constructed from verified rows only.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use audit::Assurance;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::DataClass;
use crate::Operation;
use crate::Role;
use crate::authorize;
use crate::evidence::CallerError;
use crate::evidence::CareTeamEvidence;
use crate::evidence::Credential;
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
    origin: RequestOrigin,
    own_chart: Option<PatientId>,
    care_team: Option<Arc<HashSet<PatientId>>>,
}

impl Caller {
    /// The caller that the row of a session or token and the row of its person identify.
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
    ) -> Result<Self, CallerError> {
        Self::consistent(S::claims(session), &P::claims(person), origin)
    }

    /// The caller with the patients whose care teams include it.
    ///
    /// # Errors
    ///
    /// [`CallerError::OtherOrganization`], [`CallerError::OtherPerson`].
    pub fn with_care_team<G: CareTeamEvidence>(
        self,
        memberships: &[Verified<G::Row>],
    ) -> Result<Self, CallerError> {
        let mut patients = HashSet::with_capacity(memberships.len());
        for membership in memberships {
            let claims = G::claims(membership);
            if claims.organization != self.organization {
                return Err(CallerError::OtherOrganization);
            }
            if claims.person != self.person {
                return Err(CallerError::OtherPerson);
            }
            patients.insert(claims.patient);
        }
        Ok(Self {
            care_team: Some(Arc::new(patients)),
            ..self
        })
    }

    /// The caller of claims that agree with each other.
    pub(crate) fn consistent(
        session: SessionClaims,
        person: &PersonClaims,
        origin: RequestOrigin,
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
        // A token must not gain the permissions of a role that its person has been given since.
        if session.role.is_some_and(|role| role != person.role) {
            return Err(CallerError::RoleChanged);
        }
        let role = person.role.parse().or(Err(CallerError::UnknownRole))?;
        // Without a chart, the reach of a patient's permissions would be undefined.
        if role == Role::Patient && person.own_chart.is_none() {
            return Err(CallerError::ChartMissing);
        }
        Ok(Self {
            organization: person.organization,
            person: person.id,
            role,
            session: session.id,
            credential: session.credential,
            assurance: session.assurance,
            authenticated_at: session.authenticated_at,
            origin,
            own_chart: person.own_chart,
            care_team: None,
        })
    }

    /// Whether the policy grants the caller an operation on some records of a class, for example to
    /// decide which links a page has. It is not evidence: [`permit`](crate::permit) decides about
    /// actions.
    #[must_use]
    pub fn may(&self, operation: Operation, class: DataClass) -> bool {
        authorize(self.role, operation, class)
            .is_some_and(|permission| permission.assurance <= self.assurance.into())
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

    /// Whether the patient's care team includes the caller; false if memberships are not loaded.
    #[must_use]
    pub fn cares_for(&self, patient: PatientId) -> bool {
        self.care_team
            .as_ref()
            .is_some_and(|patients| patients.contains(&patient))
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
