//! What the pages and the API of authenticators share: the permission, and the problems.

use access::Permitted;
use access::Write;

use crate::http::authentication::CurrentCaller;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::error::ServiceError;
use crate::services::identity::AuthenticatorChangeError;
use crate::services::identity::own_account;

/// Authorizes a caller to change the authenticators of its own account.
pub(crate) async fn permit<'caller>(
    app: &AppState,
    caller: &'caller CurrentCaller,
) -> Result<Permitted<'caller, Write>, ServiceError> {
    app.gate.permit(caller, Write, own_account(caller)).await
}

/// The problem of a change to authenticators.
pub(crate) fn problem(error: AuthenticatorChangeError) -> Problem {
    match error {
        AuthenticatorChangeError::WrongCode => Problem::BadRequest(
            "The code is not one of this authenticator app, or was used before: wait for its next code.",
        ),
        AuthenticatorChangeError::InvalidPasskey => Problem::BadRequest(
            "The passkey is set up already, or it took longer than five minutes. Try again.",
        ),
        AuthenticatorChangeError::TooMany => Problem::BadRequest(
            "Your account has as many authenticator apps and passkeys as are allowed: remove one first.",
        ),
        AuthenticatorChangeError::LastDevice => Problem::BadRequest(
            "This is your only authenticator app or passkey: set up another one first.",
        ),
        AuthenticatorChangeError::Service(error) => error.into(),
    }
}
