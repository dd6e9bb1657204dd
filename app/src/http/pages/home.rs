//! The start page: a redirect to the first section of the caller's role.

use axum::response::Redirect;

use super::layout::NavSection;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;

/// Redirects to the first section that the caller's role may open.
///
/// # Errors
///
/// [`Problem::NotFound`] for a role without sections.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "pages.home",
    responses((status = 303, description = "The first section of the role"), (status = "default", response = Page))
)]
pub(crate) async fn redirect(caller: CurrentCaller) -> Result<Redirect, Problem> {
    let section = NavSection::of(&caller)
        .into_iter()
        .next()
        .ok_or(Problem::NotFound)?;
    Ok(Redirect::to(section.href()))
}
