//! The start: leads everybody to where their role works.

use axum::response::Redirect;

use super::layout::Area;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;

/// Leads to where the caller's role works.
///
/// # Errors
///
/// [`Problem::NotFound`] for a role that no page is open to.
#[utoipa::path(
    get,
    path = "/",
    responses((status = 303, description = "The start page of the role"), (status = "default", response = Page))
)]
pub(crate) async fn go(caller: CurrentCaller) -> Result<Redirect, Problem> {
    let start = Area::of(&caller)
        .into_iter()
        .next()
        .ok_or(Problem::NotFound)?;
    Ok(Redirect::to(start.href()))
}
