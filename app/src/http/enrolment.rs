//! What the pages and the API of authenticators share: the permission, and the problems.

use access::Permitted;
use access::Write;

use crate::http::authentication::CurrentCaller;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::error::ServiceError;
use crate::services::identity::EnrolmentError;
use crate::services::identity::own_account;

/// Authorizes a caller to change the authenticators of its own account.
pub(crate) async fn permit<'caller>(
    app: &AppState,
    caller: &'caller CurrentCaller,
) -> Result<Permitted<'caller, Write>, ServiceError> {
    app.gate.permit(caller, Write, own_account(caller)).await
}

/// The problem of a change to authenticators.
pub(crate) fn problem(error: EnrolmentError) -> Problem {
    match error {
        EnrolmentError::WrongCode => Problem::BadRequest(
            "The code is not one of this authenticator app, or was used before: wait for its next code.",
        ),
        EnrolmentError::InvalidPasskey => Problem::BadRequest(
            "The passkey was not accepted: it is not a new one of your account, or took longer than five minutes. Try again.",
        ),
        EnrolmentError::TooMany => Problem::BadRequest(
            "Your account has as many authenticator apps and passkeys as are allowed: remove one first.",
        ),
        EnrolmentError::LastDevice => Problem::BadRequest(
            "This is your only authenticator app or passkey: set up another one first.",
        ),
        EnrolmentError::Service(error) => error.into(),
    }
}
