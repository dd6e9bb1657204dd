//! What surrounds every page: the title and, for who is signed in, the top bar.

use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::access::{Grant, Role};
use crate::services::caller::Caller;

/// The name on the sign-in page and in the window's title; a fork puts its own here.
pub(crate) const PRODUCT: &str = "Health Records";

/// What the base template shows around a page.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// The window's title. Browsers keep it in their history: never a patient's name.
    pub(crate) title: &'static str,
    /// Who is signed in; without one there is no top bar.
    pub(crate) viewer: Option<Viewer>,
}

/// Who looks at the page, as the top bar names them.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    /// The organization's name.
    pub(crate) organization: String,
    /// The person's name.
    pub(crate) person: String,
    /// Their role in words.
    pub(crate) role: &'static str,
    /// The areas their role opens.
    pub(crate) links: Vec<Link>,
}

impl Viewer {
    /// The caller, as the top bar of a page in `here` names them.
    ///
    /// # Errors
    ///
    /// [`Problem::SignInRequired`] if the person is gone since the request began.
    pub(crate) async fn of(app: &AppState, caller: &Caller, here: Area) -> Result<Self, Problem> {
        let person = app
            .identity
            .person(caller)
            .await?
            .ok_or(Problem::SignInRequired)?;
        let organization = app.database.organization_name(caller.organization).await?;
        Ok(Self {
            organization: organization.unwrap_or_default(),
            person: person.name.expose().clone(),
            role: role_in_words(caller.role),
            links: Link::all(caller.role, here),
        })
    }
}

/// A link of the top bar.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// Where it leads.
    pub(crate) area: Area,
    /// Whether the page is there.
    pub(crate) current: bool,
}

impl Link {
    /// The links of a role, on a page in `here`.
    pub(crate) fn all(role: Role, here: Area) -> Vec<Self> {
        let link = |area| Self {
            area,
            current: area == here,
        };
        Area::of(role).into_iter().map(link).collect()
    }
}

/// What people call a role.
pub(crate) fn role_in_words(role: Role) -> &'static str {
    match role {
        Role::Clinician => "Clinician",
        Role::FrontDesk => "Front desk",
        Role::SecurityAdmin => "Security administrator",
        Role::PrivacyOfficer => "Privacy officer",
    }
}

/// A part of the application that the top bar leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    /// The patient list, search and charts.
    Patients,
    /// Who may sign in.
    People,
    /// The audit trail.
    Audit,
}

impl Area {
    const ALL: [Self; 3] = [Self::Patients, Self::People, Self::Audit];

    /// The areas that the access table opens to a role; the first is where it starts.
    pub(crate) fn of(role: Role) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|area| role.may(area.grant()))
            .collect()
    }

    fn grant(self) -> Grant {
        match self {
            Self::Patients => Grant::ListPatients,
            Self::People => Grant::ViewPeople,
            Self::Audit => Grant::ViewAudit,
        }
    }

    /// Where the area starts.
    pub(crate) fn href(self) -> &'static str {
        match self {
            Self::Patients => "/patients",
            Self::People => "/people",
            Self::Audit => "/audit",
        }
    }

    /// What the top bar calls it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Patients => "Patients",
            Self::People => "People",
            Self::Audit => "Audit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_somewhere_to_start() {
        let starts = Role::ALL.map(|role| Area::of(role).first().copied());
        let expected = [Area::Patients, Area::Patients, Area::People, Area::Audit].map(Some);
        assert_eq!(starts, expected);
    }
}
