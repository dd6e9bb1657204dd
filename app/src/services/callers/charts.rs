//! The charts that a person reaches, read from the organization's policy, its care teams and emergency accesses.

use access::ChartAccess;
use access::DataClass;
use access::Operation;
use access::Reach;
use access::Role;
use access::authorize;
use db::CareTeamMemberRow;
use db::PersonRow;
use phi::AuthenticatedRow;
use phi::OrganizationId;
use phi::PatientId;
use phi::Tampering;
use phi::Verified;
use uuid::Uuid;

use super::Callers;
use super::evidence::StoredEmergency;
use super::evidence::StoredMembership;
use super::evidence::StoredOrganization;
use crate::limits::MAX_CARE_TEAMS;
use crate::limits::MAX_EMERGENCIES;
use crate::services::error::ServiceError;

/// Memberships that one statement reads.
const MEMBERSHIPS_PER_STATEMENT: u32 = 1_000;

/// Whether a role has permissions that are limited to care teams.
pub(crate) fn is_limited_to_care_teams(role: &str) -> bool {
    let clinical = |role: Role| authorize(role, Operation::Read, DataClass::Clinical);
    let permission = role.parse().ok().and_then(clinical);
    permission.is_some_and(|permission| permission.reach == Reach::CareTeam)
}

impl Callers {
    /// The charts of a person whose role is limited to care teams. A row that does not verify is reported, and opens no chart.
    pub(super) async fn read_charts(
        &self,
        person: &PersonRow,
    ) -> Result<ChartAccess, ServiceError> {
        let organization = person.organization;
        let row = self.database.organization(organization).await?;
        let row = row.ok_or_else(|| {
            let reason = "the organization's row is missing";
            Tampering::report("organizations", reason, organization, None)
        })?;
        let policy = self.keys.verify(organization, row).await?;
        let (memberships, emergencies) = if policy.opens_all_charts() {
            (Vec::new(), Vec::new())
        } else {
            let limit = u32::try_from(MAX_EMERGENCIES).unwrap_or(u32::MAX);
            let now = self.clock.now();
            let emergencies =
                self.database
                    .emergency_accesses_of(organization, person.id, now, limit);
            let emergencies = self.untampered(organization, emergencies.await?).await?;
            (self.memberships(person).await?, emergencies)
        };
        let charts = ChartAccess::of::<StoredOrganization, StoredMembership, StoredEmergency>(
            person.id.uuid(),
            &policy,
            &memberships,
            &emergencies,
        );
        charts.map_err(ServiceError::internal)
    }

    /// The care teams of a person.
    async fn memberships(
        &self,
        person: &PersonRow,
    ) -> Result<Vec<Verified<CareTeamMemberRow>>, ServiceError> {
        let organization = person.organization;
        let mut memberships = Vec::new();
        let mut after = PatientId::from_uuid(Uuid::nil());
        while memberships.len() < MAX_CARE_TEAMS {
            let limit = MEMBERSHIPS_PER_STATEMENT;
            let rows = self
                .database
                .care_teams_of(organization, person.id, after, limit);
            let rows = rows.await?;
            let Some(last) = rows.iter().map(|row| row.patient).max() else {
                break;
            };
            after = last;
            memberships.extend(self.untampered(organization, rows).await?);
        }
        Ok(memberships)
    }

    /// The rows that verify. The others are reported.
    async fn untampered<R: AuthenticatedRow>(
        &self,
        organization: OrganizationId,
        rows: Vec<R>,
    ) -> Result<Vec<Verified<R>>, ServiceError> {
        let mut verified = Vec::with_capacity(rows.len());
        for row in rows {
            verified.extend(self.keys.verify_untampered(organization, row).await?);
        }
        Ok(verified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn care_teams_limit_clinicians() {
        assert!(is_limited_to_care_teams("clinician"));
        for role in ["front_desk", "billing", "security_admin", "service", "root"] {
            assert!(!is_limited_to_care_teams(role), "{role}");
        }
    }
}
