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
        let organization = caller.organization();
        let person = app.identity.own_person(caller).await?;
        let mut links = Link::all(NavSection::of(caller), current);
        for link in &mut links {
            if link.section == NavSection::Reviews {
                link.waiting = app.emergencies.open_reviews(organization).await?;
            }
        }
        Ok(Self {
            organization: app.organizations.name(organization).await?,
            person: person.name.expose().clone(),
            role: role_label(caller.role().name()),
            links,
        })
    }
}

/// A link of the navigation bar.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) section: NavSection,
    /// Whether the page belongs to the section.
    pub(crate) current: bool,
    /// The number of things that wait there for the person.
    pub(crate) waiting: usize,
}

impl Link {
    /// Links to `sections`, on a page of the section `current`.
    pub(crate) fn all(sections: Vec<NavSection>, current: NavSection) -> Vec<Self> {
        let link = |section| Self {
            section,
            current: section == current,
            waiting: 0,
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
    /// Emergency accesses and their reviews.
    Reviews,
    /// The audit trail.
    Audit,
}

impl NavSection {
    const ALL: [Self; 4] = [Self::Patients, Self::People, Self::Audit, Self::Reviews];

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
            Self::Reviews => (Operation::List, DataClass::AccessReviews),
            Self::Audit => (Operation::List, DataClass::Audit),
        }
    }

    pub(crate) fn href(self) -> &'static str {
        match self {
            Self::Patients => "/patients",
            Self::People => "/people",
            Self::Reviews => "/reviews",
            Self::Audit => "/audit",
        }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Patients => "Patients",
            Self::People => "People",
            Self::Reviews => "Emergency access",
            Self::Audit => "Audit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(role: Role) -> Vec<NavSection> {
        NavSection::permitted(|operation, class| {
            access::authorize(role, operation, class).is_some()
        })
    }

    #[test]
    fn a_role_starts_in_the_first_section_that_the_policy_permits() {
        let start = |role| sections(role).first().copied();
        assert_eq!(start(Role::Clinician), Some(NavSection::Patients));
        assert_eq!(start(Role::FrontDesk), Some(NavSection::Patients));
        assert_eq!(start(Role::SecurityAdmin), Some(NavSection::People));
        assert_eq!(start(Role::PrivacyOfficer), Some(NavSection::Audit));
    }

    #[test]
    fn a_machine_client_has_no_section_of_patients_people_or_the_audit_trail() {
        let sections = sections(Role::Service);
        for section in [NavSection::Patients, NavSection::People, NavSection::Audit] {
            assert!(!sections.contains(&section), "{section:?}");
        }
    }
}
