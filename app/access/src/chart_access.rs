//! The charts that a member of the workforce reaches: those of the organization, or those of care teams and emergency access.

use std::collections::HashSet;
use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::evidence::CallerError;
use crate::evidence::CareTeamEvidence;
use crate::evidence::ChartPolicyEvidence;
use crate::evidence::EmergencyClaims;
use crate::evidence::EmergencyEvidence;
use crate::ids::OrganizationId;
use crate::ids::PatientId;
use crate::ids::Verified;

/// Evidence of the charts that permissions with the reach [`CareTeam`](crate::Reach::CareTeam) include for a person. Its clones
/// share their content, so that it can be cached.
#[derive(Clone, Debug)]
pub struct ChartAccess {
    pub(crate) organization: OrganizationId,
    pub(crate) person: Uuid,
    charts: Charts,
}

#[derive(Clone, Debug)]
enum Charts {
    /// All charts of the organization.
    All,
    /// Those of patients whose care teams include the person, and those of emergency access.
    CareTeam {
        patients: Arc<HashSet<PatientId>>,
        emergencies: Arc<[EmergencyClaims]>,
    },
}

impl ChartAccess {
    /// The charts of a person by the organization's policy, the person's memberships of care teams, and the person's emergency
    /// accesses. The latter two do not matter where the policy opens all charts. Memberships that have ended are ignored.
    ///
    /// # Errors
    ///
    /// [`CallerError::OtherOrganization`], [`CallerError::OtherPerson`]: a row is not the person's.
    pub fn of<P: ChartPolicyEvidence, C: CareTeamEvidence, E: EmergencyEvidence>(
        person: Uuid,
        policy: &Verified<P::Row>,
        memberships: &[Verified<C::Row>],
        emergencies: &[Verified<E::Row>],
    ) -> Result<Self, CallerError> {
        let policy = P::claims(policy);
        let organization = policy.organization;
        let own = |row: (OrganizationId, Uuid)| {
            if row.0 != organization {
                return Err(CallerError::OtherOrganization);
            }
            if row.1 != person {
                return Err(CallerError::OtherPerson);
            }
            Ok(())
        };
        let mut patients = HashSet::with_capacity(memberships.len());
        for membership in memberships {
            let claims = C::claims(membership);
            own((claims.organization, claims.person))?;
            if claims.active {
                patients.insert(claims.patient);
            }
        }
        let emergencies: Vec<_> = emergencies.iter().map(|it| E::claims(it)).collect();
        for claims in &emergencies {
            own((claims.organization, claims.person))?;
        }
        let charts = if policy.opens_all_charts {
            Charts::All
        } else {
            Charts::CareTeam {
                patients: Arc::new(patients),
                emergencies: emergencies.into(),
            }
        };
        Ok(Self {
            organization,
            person,
            charts,
        })
    }

    /// Whether it includes all charts of the organization.
    #[must_use]
    pub const fn is_whole_organization(&self) -> bool {
        matches!(self.charts, Charts::All)
    }

    /// Whether it includes a patient's chart at a time.
    #[must_use]
    pub fn includes(&self, patient: PatientId, at: OffsetDateTime) -> bool {
        match &self.charts {
            Charts::All => true,
            Charts::CareTeam { patients, .. } => {
                patients.contains(&patient) || self.emergency(patient, at).is_some()
            }
        }
    }

    /// The emergency access by which alone it includes a patient's chart at a time.
    #[must_use]
    pub fn emergency(&self, patient: PatientId, at: OffsetDateTime) -> Option<&EmergencyClaims> {
        let Charts::CareTeam {
            patients,
            emergencies,
        } = &self.charts
        else {
            return None;
        };
        let in_force = |it: &&EmergencyClaims| it.patient == patient && at < it.until;
        let emergency = emergencies.iter().find(in_force);
        emergency.filter(|_| !patients.contains(&patient))
    }
}

#[cfg(test)]
impl ChartAccess {
    /// The charts of these patients, and those of emergency accesses.
    pub(crate) fn limited(
        (organization, person): (OrganizationId, Uuid),
        patients: impl IntoIterator<Item = PatientId>,
        emergencies: Vec<EmergencyClaims>,
    ) -> Self {
        Self {
            organization,
            person,
            charts: Charts::CareTeam {
                patients: Arc::new(patients.into_iter().collect()),
                emergencies: emergencies.into(),
            },
        }
    }

    /// All charts of the organization.
    pub(crate) const fn all((organization, person): (OrganizationId, Uuid)) -> Self {
        Self {
            organization,
            person,
            charts: Charts::All,
        }
    }
}
