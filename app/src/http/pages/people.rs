//! The page of the organization's people, for security administrators.

use access::DataClass;
use access::List;
use access::Operation;
use access::Role;
use access::Subject;
use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::html::Html;
use super::layout::CurrentUser;
use super::layout::Layout;
use super::layout::NavSection;
use crate::http::administration::InvalidInvitation;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::Person;
use crate::services::organizations::ChartPolicy;

/// The people of the organization.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/people",
    operation_id = "pages.people",
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Html<PeoplePage>, Problem> {
    page(&app, &caller, InvitationForm::default(), None).await
}

/// The page; `invitation` fills the form with what was sent before.
///
/// # Errors
///
/// See [`Problem`].
pub(super) async fn page(
    app: &AppState,
    caller: &CurrentCaller,
    invitation: InvitationForm,
    refusal: Option<InvalidInvitation>,
) -> Result<Html<PeoplePage>, Problem> {
    let subject = Subject::of("person", DataClass::People, caller.organization());
    let permitted = app.gate.permit(caller, List, subject).await?;
    let people = app.identity.people(&permitted).await?;
    let user = CurrentUser::of(app, caller, NavSection::People).await?;
    let policy = app
        .organizations
        .chart_policy(caller.organization())
        .await?;
    let may_change = caller.may(Operation::Write, DataClass::People);
    let row = |person: &Person| PersonRow {
        name: person.name.expose().clone(),
        email: person.email.expose().clone(),
        role: person.role.clone(),
        id: person.id.uuid(),
        active: person.active,
        is_own: person.id.uuid() == caller.person(),
    };
    Ok(Html::disclosed(people.map(|people| PeoplePage {
        organization: user.organization.clone(),
        people: people.iter().map(row).collect(),
        is_limited: policy == ChartPolicy::CareTeam,
        may_change,
        invitation,
        refusal,
        layout: Layout {
            title: "People",
            user: Some(user.clone()),
        },
    })))
}

/// The page of the people.
#[derive(Template)]
#[template(path = "people.html")]
pub(crate) struct PeoplePage {
    pub(crate) layout: Layout,
    pub(crate) organization: String,
    pub(crate) people: Vec<PersonRow>,
    /// Whether the organization limits charts to care teams.
    pub(crate) is_limited: bool,
    /// Whether the caller has shown a second factor recently, without which nothing can be changed.
    pub(crate) may_change: bool,
    /// What the form of an invitation is filled with.
    pub(crate) invitation: InvitationForm,
    /// The field of the form that was refused.
    pub(crate) refusal: Option<InvalidInvitation>,
}

/// The form of an invitation.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub(crate) struct InvitationForm {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) role: String,
}

/// The row of a person.
#[derive(Debug, Clone)]
pub(crate) struct PersonRow {
    pub(crate) name: String,
    /// The e-mail address for sign-in.
    pub(crate) email: String,
    /// The name of the role.
    pub(crate) role: String,
    pub(crate) id: Uuid,
    /// Whether the person may sign in.
    pub(crate) active: bool,
    /// Whether the row is the caller's, who cannot change it.
    pub(crate) is_own: bool,
}

impl PeoplePage {
    fn is_name_refused(&self) -> bool {
        self.refusal == Some(InvalidInvitation::Name)
    }

    fn is_email_refused(&self) -> bool {
        matches!(
            self.refusal,
            Some(InvalidInvitation::Email | InvalidInvitation::EmailInUse)
        )
    }

    fn is_role_refused(&self) -> bool {
        self.refusal == Some(InvalidInvitation::Role)
    }

    /// What to do about the refused field.
    fn advice(&self) -> &'static str {
        self.refusal
            .map(InvalidInvitation::advice)
            .unwrap_or_default()
    }

    /// The roles that an administrator can give: each with its name and its display name.
    fn roles() -> impl Iterator<Item = (&'static str, &'static str)> {
        let roles = Role::ALL.iter();
        let roles = roles.filter(|role| !matches!(role, Role::Patient | Role::Service));
        roles.map(|role| (role.name(), role.label()))
    }
}
