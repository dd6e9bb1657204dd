//! The people of an organization, for its security administrator.

use askama::Template;
use axum::extract::State;

use super::html::Html;
use super::layout::{Area, Frame, Viewer, role_in_words};
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::access::ViewPeople;
use crate::services::caller::Caller;
use crate::services::identity::Person;

/// `GET /people`.
///
/// # Errors
///
/// See [`Problem`].
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Html<PeoplePage>, Problem> {
    let permitted = app.gate.permit(&caller, ViewPeople).await?;
    let people = app.identity.people(&caller, &permitted).await?;
    let viewer = Viewer::of(&app, &caller, Area::People).await?;
    let row = |person: &Person| PersonRow {
        name: person.name.expose().clone(),
        email: person.email.expose().clone(),
        role: role_in_words(person.role).to_owned(),
        organization: viewer.organization.clone(),
    };
    Ok(Html::ok(PeoplePage {
        organization: viewer.organization.clone(),
        people: people.iter().map(row).collect(),
        frame: Frame {
            title: "People",
            viewer: Some(viewer),
        },
    }))
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
