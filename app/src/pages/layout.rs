//! What surrounds every page: the title and, for who is signed in, the top bar.

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
    pub(crate) areas: Vec<Area>,
    /// The area this page is in.
    pub(crate) here: Option<Area>,
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
    /// Where the area starts.
    pub(crate) fn href(self) -> &'static str {
        match self {
            Self::Patients => "/patients",
            Self::People => "/people",
            Self::Audit => "/audit",
        }
    }

    /// Whether the page is in this area.
    pub(crate) fn is_among(self, here: &Option<Self>) -> bool {
        *here == Some(self)
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
