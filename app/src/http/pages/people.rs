//! The people of an organization, for its security administrator.

use access::DataClass;
use access::List;
use access::Subject;
use askama::Template;
use axum::extract::State;

use super::html::Html;
use super::layout::Area;
use super::layout::Frame;
use super::layout::Viewer;
use super::layout::role_in_words;
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
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Html<PeoplePage>, Problem> {
    let subject = Subject::of("person", DataClass::People, caller.organization());
    let permitted = app.gate.permit(&caller, List, subject).await?;
    let people = app.identity.people(&permitted).await?;
    let viewer = Viewer::of(&app, &caller, Area::People).await?;
    let row = |person: &Person| PersonRow {
        name: person.name.expose().clone(),
        email: person.email.expose().clone(),
        role: role_in_words(&person.role).to_owned(),
        organization: viewer.organization.clone(),
    };
    Ok(Html::disclosed(people.map(|people| PeoplePage {
        organization: viewer.organization.clone(),
        people: people.iter().map(row).collect(),
        frame: Frame {
            title: "People",
            viewer: Some(viewer.clone()),
        },
    })))
}

/// Who may sign in.
#[derive(Template)]
#[template(path = "people.html")]
pub(crate) struct PeoplePage {
    pub(crate) frame: Frame,
    pub(crate) organization: String,
    pub(crate) people: Vec<PersonRow>,
}

/// One person.
#[derive(Debug, Clone)]
pub(crate) struct PersonRow {
    /// Their name.
    pub(crate) name: String,
    /// The e-mail address they sign in with.
    pub(crate) email: String,
    /// Their role in words.
    pub(crate) role: String,
    /// Their organization's name.
    pub(crate) organization: String,
}
