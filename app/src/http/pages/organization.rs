//! The form with which a security administrator sets the charts that clinicians reach.

use access::DataClass;
use access::Subject;
use access::Write;
use axum::Form;
use axum::extract::State;
use axum::response::Redirect;
use serde::Deserialize;
use utoipa::ToSchema;

use super::layout::NavSection;
use crate::http::api::organization::ChartAccess;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The form of the setting.
#[derive(Deserialize, ToSchema)]
pub(crate) struct OrganizationForm {
    chart_access: ChartAccess,
}

/// Sets the charts that clinicians reach.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    post,
    path = "/organization",
    operation_id = "pages.change_organization",
    request_body(content = inline(OrganizationForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Changed"), (status = "default", response = Page))
)]
pub(crate) async fn change(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Form(form): Form<OrganizationForm>,
) -> Result<Redirect, Problem> {
    let subject = Subject::of("organization", DataClass::People, caller.organization());
    let permitted = app.gate.permit(&caller, Write, subject).await?;
    let changed = app
        .organizations
        .set_chart_policy(&permitted, form.chart_access.into());
    let redirect = changed
        .await?
        .map(|_policy| Redirect::to(NavSection::People.href()));
    Ok(redirect.into_inner())
}
