//! The form that the script of a page sends with the response of an authenticator.

use serde::Deserialize;
use utoipa::ToSchema;

/// The form.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PasskeyForm {
    /// The response, as `PublicKeyCredential.toJSON()` makes it.
    pub(super) response: String,
    /// The path of the page to return to.
    pub(super) next: Option<String>,
    /// At sign-in, a form that was sent after the end of its session.
    pub(super) kept: Option<String>,
}
