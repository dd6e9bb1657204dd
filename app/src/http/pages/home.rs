//! The start: leads everybody to where their role works.

use axum::response::Redirect;

use super::layout::Area;
use crate::http::problem::Problem;
use crate::services::caller::Caller;

/// `GET /`.
///
/// # Errors
///
/// [`Problem::NotFound`] for a role that no page is open to.
pub(crate) async fn go(caller: Caller) -> Result<Redirect, Problem> {
    let start = Area::of(caller.role)
        .into_iter()
        .next()
        .ok_or(Problem::NotFound)?;
    Ok(Redirect::to(start.href()))
}
