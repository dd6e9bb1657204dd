//! What surrounds every page: the title and, for who is signed in, the top bar.

use access::Caller;
use access::DataClass;
use access::Operation;
use access::Role;

use crate::http::problem::Problem;
use crate::http::state::AppState;

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
        let person = app.identity.own_person(caller).await?;
        Ok(Self {
            organization: app.organizations.name(caller.organization()).await?,
            person: person.name.expose().clone(),
            role: role_in_words(caller.role().name()),
            links: Link::all(Area::of(caller), here),
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
    /// Links to `areas`, on a page in `here`.
    pub(crate) fn all(areas: Vec<Area>, here: Area) -> Vec<Self> {
        let link = |area| Self {
            area,
            current: area == here,
        };
        areas.into_iter().map(link).collect()
    }
}

/// A role's name for people.
pub(crate) fn role_in_words(role: &str) -> &'static str {
    role.parse().map_or("Unknown role", Role::label)
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

    /// The areas that the policy opens to a caller; the first is the start.
    pub(crate) fn of(caller: &Caller) -> Vec<Self> {
        Self::where_allowed(|operation, class| caller.may(operation, class))
    }

    pub(super) fn where_allowed(may: impl Fn(Operation, DataClass) -> bool) -> Vec<Self> {
        let opens = |area: &Self| {
            let (operation, class) = area.needs();
            may(operation, class)
        };
        Self::ALL.into_iter().filter(opens).collect()
    }

    const fn needs(self) -> (Operation, DataClass) {
        match self {
            Self::Patients => (Operation::List, DataClass::Demographics),
            Self::People => (Operation::List, DataClass::People),
            Self::Audit => (Operation::List, DataClass::Audit),
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

    fn start(role: Role) -> Option<Area> {
        let may = |operation, class| access::authorize(role, operation, class).is_some();
        Area::where_allowed(may).first().copied()
    }

    #[test]
    fn a_role_starts_in_the_first_area_that_the_policy_opens() {
        assert_eq!(start(Role::Clinician), Some(Area::Patients));
        assert_eq!(start(Role::FrontDesk), Some(Area::Patients));
        assert_eq!(start(Role::SecurityAdmin), Some(Area::People));
        assert_eq!(start(Role::PrivacyOfficer), Some(Area::Audit));
        assert_eq!(start(Role::Service), None);
    }
}
