//! An organization that limits its clinicians to the charts of their patients.

use http::Method;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Role;
use tests::RunningStack;
use tests::fhir;
use uuid::Uuid;

use super::enrolled_account::Enrolled;
use super::enrolled_account::person_of;

/// The organization, with a patient of one clinician and not of the other.
pub(crate) struct ClosedClinic {
    pub(crate) name: String,
    pub(crate) admin: Client,
    /// The clinician that created the patient.
    pub(crate) member: Client,
    /// Another clinician.
    pub(crate) outsider: Client,
    /// The id of the person that is `outsider`.
    pub(crate) outsider_id: String,
    pub(crate) patient: Value,
    pub(crate) observation: Value,
}

impl ClosedClinic {
    pub(crate) async fn new(running: &RunningStack) -> anyhow::Result<Self> {
        let name = format!("Closed Clinic {}", fhir::random_id().simple());
        let admin = client(running, Role::SecurityAdmin, &name).await?;
        set_chart_access(&admin, "care-team").await?;
        let member = client(running, Role::Clinician, &name).await?;
        let outsider = client(running, Role::Clinician, &name).await?;
        let patient = fhir::patient();
        let observation = fhir::observation(&patient);
        member
            .bundle(&fhir::transaction(&[&patient, &observation]))
            .await?
            .expect_status(200)?;
        Ok(Self {
            name,
            admin,
            outsider_id: person_of(&outsider).await?,
            member,
            outsider,
            patient,
            observation,
        })
    }

    /// A client of the organization with a new account.
    pub(crate) async fn client(
        &self,
        running: &RunningStack,
        role: Role,
    ) -> anyhow::Result<Client> {
        client(running, role, &self.name).await
    }

    pub(crate) fn patient_id(&self) -> Uuid {
        fhir::id(&self.patient)
    }

    /// The path of the patient's care team.
    pub(crate) fn care_team(&self) -> String {
        format!("/api/v1/patients/{}/care-team", self.patient_id())
    }

    /// The status of a read of the observation.
    pub(crate) async fn read_by(&self, client: &Client) -> anyhow::Result<u16> {
        let path = format!("/fhir/{}", fhir::reference(&self.observation));
        Ok(client.get(&path).await?.status.as_u16())
    }
}

/// A client of an organization with a new account of two factors.
async fn client(running: &RunningStack, role: Role, organization: &str) -> anyhow::Result<Client> {
    let mut enrolled = Enrolled::new_in(running, role, organization).await?;
    enrolled.client(running).await
}

/// Sets the charts that the clinicians of an organization reach.
pub(crate) async fn set_chart_access(admin: &Client, access: &str) -> anyhow::Result<()> {
    let body = json!({"chart_access": access}).to_string();
    let path = "/api/v1/organization";
    let changed = admin.request(Method::PATCH, path, "application/json", body);
    let changed = changed.await?.expect_status(200)?.json()?;
    assert_eq!(changed["chart_access"], access);
    Ok(())
}
