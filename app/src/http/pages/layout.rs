//! The layout of pages: the title and, for signed-in people, the navigation bar.

use access::Caller;
use access::DataClass;
use access::Operation;
use access::Role;

use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The product name on the sign-in page and in titles.
pub(crate) const PRODUCT: &str = product::TITLE;

/// The values of the base template.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The page title. Never a patient's name, because browsers store titles in their history.
    pub(crate) title: &'static str,
    /// The signed-in person; pages without one have no navigation bar.
    pub(crate) user: Option<CurrentUser>,
}

/// The signed-in person, as the navigation bar shows them.
#[derive(Debug, Clone)]
pub(crate) struct CurrentUser {
    pub(crate) organization: String,
    pub(crate) person: String,
    /// The role's display name.
    pub(crate) role: &'static str,
    /// Links to the sections that the role may open.
    pub(crate) links: Vec<Link>,
}

impl CurrentUser {
    /// The caller on a page of the section `current`.
    ///
    /// # Errors
    ///
    /// [`Problem::SignInRequired`] if the person was removed after authentication.
    pub(crate) async fn of(
        app: &AppState,
        caller: &Caller,
        current: NavSection,
    ) -> Result<Self, Problem> {
        let person = app.identity.own_person(caller).await?;
        Ok(Self {
            organization: app.organizations.name(caller.organization()).await?,
            person: person.name.expose().clone(),
            role: role_label(caller.role().name()),
            links: Link::all(NavSection::of(caller), current),
        })
    }
}

/// A link of the navigation bar.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) section: NavSection,
    /// Whether the page belongs to the section.
    pub(crate) current: bool,
}

impl Link {
    /// Links to `sections`, on a page of the section `current`.
    pub(crate) fn all(sections: Vec<NavSection>, current: NavSection) -> Vec<Self> {
        let link = |section| Self {
            section,
            current: section == current,
        };
        sections.into_iter().map(link).collect()
    }
}

/// The display name of a role.
pub(crate) fn role_label(role: &str) -> &'static str {
    role.parse().map_or("Unknown role", Role::label)
}

/// A section of the application in the navigation bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NavSection {
    /// The patient list, search and charts.
    Patients,
    /// The people who may sign in.
    People,
    /// The audit trail.
    Audit,
}

impl NavSection {
    const ALL: [Self; 3] = [Self::Patients, Self::People, Self::Audit];

    /// The sections that the policy permits to a caller; the first is the start page.
    pub(crate) fn of(caller: &Caller) -> Vec<Self> {
        Self::permitted(|operation, class| caller.may(operation, class))
    }

    /// The sections whose permission `may` grants.
    pub(super) fn permitted(may: impl Fn(Operation, DataClass) -> bool) -> Vec<Self> {
        let is_permitted = |section: &Self| {
            let (operation, class) = section.required_permission();
            may(operation, class)
        };
        Self::ALL.into_iter().filter(is_permitted).collect()
    }

    const fn required_permission(self) -> (Operation, DataClass) {
        match self {
            Self::Patients => (Operation::List, DataClass::Demographics),
            Self::People => (Operation::List, DataClass::People),
            Self::Audit => (Operation::List, DataClass::Audit),
        }
    }

    pub(crate) fn href(self) -> &'static str {
        match self {
            Self::Patients => "/patients",
            Self::People => "/people",
            Self::Audit => "/audit",
        }
    }

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

    fn start(role: Role) -> Option<NavSection> {
        let may = |operation, class| access::authorize(role, operation, class).is_some();
        NavSection::permitted(may).first().copied()
    }

    #[test]
    fn a_role_starts_in_the_first_section_that_the_policy_permits() {
        assert_eq!(start(Role::Clinician), Some(NavSection::Patients));
        assert_eq!(start(Role::FrontDesk), Some(NavSection::Patients));
        assert_eq!(start(Role::SecurityAdmin), Some(NavSection::People));
        assert_eq!(start(Role::PrivacyOfficer), Some(NavSection::Audit));
        assert_eq!(start(Role::Service), None);
    }
}
