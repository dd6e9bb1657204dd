//! The start page: a redirect to the first section of the caller's role.

use access::DataClass;
use access::Operation;
use axum::response::Redirect;

use super::layout::NavSection;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;

/// Redirects to the first section that the caller's role may open.
///
/// # Errors
///
/// [`Problem::SecondFactorRequired`] for a caller that may set up a second factor and open nothing else;
/// [`Problem::NotFound`] for a role without sections.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "pages.home",
    responses((status = 303, description = "The first section of the role"), (status = "default", response = Page))
)]
pub(crate) async fn redirect(caller: CurrentCaller) -> Result<Redirect, Problem> {
    match NavSection::of(&caller).first() {
        Some(section) => Ok(Redirect::to(section.href())),
        None if caller.may(Operation::Write, DataClass::Account) => {
            Err(Problem::SecondFactorRequired)
        }
        None => Err(Problem::NotFound),
    }
}
