//! The start: leads everybody to where their role works.

use axum::response::Redirect;

use super::layout::Area;
use crate::http::authentication::CurrentCaller;
use crate::http::problem::Problem;

/// `GET /`.
///
/// # Errors
///
/// [`Problem::NotFound`] for a role that no page is open to.
pub(crate) async fn go(caller: CurrentCaller) -> Result<Redirect, Problem> {
    let start = Area::of(&caller)
        .into_iter()
        .next()
        .ok_or(Problem::NotFound)?;
    Ok(Redirect::to(start.href()))
}
