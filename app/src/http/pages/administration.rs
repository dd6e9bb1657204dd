//! The forms with which a security administrator invites people, changes and resets their accounts.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::html::Html;
use super::layout::CurrentUser;
use super::layout::Layout;
use super::layout::NavSection;
use super::people;
use super::people::InvitationForm;
use crate::http::administration::InvalidInvitation;
use crate::http::administration::invitation;
use crate::http::administration::permit;
use crate::http::administration::person_id;
use crate::http::administration::problem;
use crate::http::administration::role;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Id;
use crate::http::openapi::Page;
use crate::http::openapi::RoleName;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::AdministrationError;
use crate::services::identity::PersonChange;

/// The form that changes a role, or suspends or restores an account; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ChangeForm {
    #[schema(value_type = Option<RoleName>)]
    role: Option<String>,
    /// Whether the person may sign in.
    active: Option<bool>,
}

/// Invites a person, and shows the set-up code.
///
/// # Errors
///
/// 400 for invalid values; see [`Problem`].
#[utoipa::path(
    post,
    path = "/people",
    operation_id = "pages.invite_person",
    request_body(content = inline(InvitationForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = "default", response = Page))
)]
pub(crate) async fn invite(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Form(form): Form<InvitationForm>,
) -> Result<Response, Problem> {
    let permitted = permit(&app, &caller, None).await?;
    let invited = match invitation(&form.name, &form.email, &form.role) {
        Ok(invitation) => app.identity.invite(&permitted, invitation).await,
        Err(invalid) => return refused(&app, &caller, form, invalid).await,
    };
    match invited {
        Ok(invited) => {
            let user = CurrentUser::of(&app, &caller, NavSection::People).await?;
            let page = invited.map(|set_up| SetUpCodePage::new(user, set_up.code.to_groups()));
            Ok(Html::disclosed(page).into_response())
        }
        Err(AdministrationError::EmailInUse) => {
            refused(&app, &caller, form, InvalidInvitation::EmailInUse).await
        }
        Err(error) => Err(problem(error)),
    }
}

/// The page of the people, with the form as it was sent.
async fn refused(
    app: &AppState,
    caller: &CurrentCaller,
    form: InvitationForm,
    refusal: InvalidInvitation,
) -> Result<Response, Problem> {
    let page = people::page(app, caller, form, Some(refusal)).await?;
    Ok((StatusCode::BAD_REQUEST, page).into_response())
}

/// Changes the role of a person, or suspends or restores the account.
///
/// # Errors
///
/// 400 for a role that cannot be given, 404 for a person of another organization; see [`Problem`].
#[utoipa::path(
    post,
    path = "/people/{id}",
    operation_id = "pages.change_person",
    params(Id),
    request_body(content = inline(ChangeForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Changed"), (status = "default", response = Page))
)]
pub(crate) async fn change(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
    Form(form): Form<ChangeForm>,
) -> Result<Redirect, Problem> {
    let id = person_id(&id)?;
    let permitted = permit(&app, &caller, Some(id)).await?;
    let change = PersonChange {
        role: form.role.as_deref().map(role).transpose()?,
        active: form.active,
    };
    let changed = app.identity.change_person(&permitted, id, change).await;
    changed.map_err(problem)?.map(drop).into_inner();
    Ok(Redirect::to("/people"))
}

/// Resets the account of a person, and shows the set-up code.
///
/// # Errors
///
/// 404 for a person of another organization; see [`Problem`].
#[utoipa::path(
    post,
    path = "/people/{id}/reset",
    operation_id = "pages.reset_person",
    params(Id),
    request_body(content_type = "application/x-www-form-urlencoded"),
    responses((status = "default", response = Page))
)]
pub(crate) async fn reset(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Path(id): Path<String>,
) -> Result<Html<SetUpCodePage>, Problem> {
    let id = person_id(&id)?;
    let permitted = permit(&app, &caller, Some(id)).await?;
    let user = CurrentUser::of(&app, &caller, NavSection::People).await?;
    let reset = app.identity.reset(&permitted, id).await.map_err(problem)?;
    Ok(Html::disclosed(reset.map(|set_up| {
        SetUpCodePage::new(user, set_up.code.to_groups())
    })))
}

/// The page with a set-up code.
#[derive(Template)]
#[template(path = "set_up_code.html")]
pub(crate) struct SetUpCodePage {
    layout: Layout,
    code: Zeroizing<String>,
}

impl SetUpCodePage {
    /// The page for a security administrator.
    pub(crate) fn new(user: CurrentUser, code: Zeroizing<String>) -> Self {
        Self {
            layout: Layout {
                title: "Set-up code",
                user: Some(user),
            },
            code,
        }
    }
}
