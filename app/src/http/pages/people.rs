//! The page of the organization's people, for security administrators.

use access::DataClass;
use access::List;
use access::Subject;
use askama::Template;
use axum::extract::State;

use super::html::Html;
use super::layout::CurrentUser;
use super::layout::Layout;
use super::layout::NavSection;
use super::layout::role_label;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::Person;

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
    let subject = Subject::of("person", DataClass::People, caller.organization());
    let permitted = app.gate.permit(&caller, List, subject).await?;
    let people = app.identity.people(&permitted).await?;
    let user = CurrentUser::of(&app, &caller, NavSection::People).await?;
    let row = |person: &Person| PersonRow {
        name: person.name.expose().clone(),
        email: person.email.expose().clone(),
        role: role_label(&person.role).to_owned(),
        organization: user.organization.clone(),
    };
    Ok(Html::disclosed(people.map(|people| PeoplePage {
        organization: user.organization.clone(),
        people: people.iter().map(row).collect(),
        layout: Layout {
            title: "People",
            user: Some(user.clone()),
        },
    })))
}

/// The page of the people who may sign in.
#[derive(Template)]
#[template(path = "people.html")]
pub(crate) struct PeoplePage {
    pub(crate) layout: Layout,
    pub(crate) organization: String,
    pub(crate) people: Vec<PersonRow>,
}

/// The row of a person.
#[derive(Debug, Clone)]
pub(crate) struct PersonRow {
    pub(crate) name: String,
    /// The e-mail address for sign-in.
    pub(crate) email: String,
    /// The role's display name.
    pub(crate) role: String,
    pub(crate) organization: String,
}
