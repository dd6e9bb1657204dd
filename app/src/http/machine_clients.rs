//! What the pages and the API of machine clients share: the permission, and the values of a client.

use access::DataClass;
use access::Permitted;
use access::Scopes;
use access::Subject;
use access::Write;
use fhir::ResourceType;
use phi::JwkSet;
use phi::PersonId;

use crate::http::authentication::CurrentCaller;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::error::ServiceError;

/// The machine clients of a caller's organization, as a subject of the policy.
pub(crate) fn subject(caller: &CurrentCaller) -> Subject {
    Subject::of("client", DataClass::People, caller.organization())
}

/// Authorizes a caller to administer machine clients: one client, or the clients as a whole.
pub(crate) async fn permit<'caller>(
    app: &AppState,
    caller: &'caller CurrentCaller,
    client: Option<PersonId>,
) -> Result<Permitted<'caller, Write>, ServiceError> {
    let subject = subject(caller);
    let subject = match client {
        Some(client) => subject.id(client.uuid()),
        None => subject,
    };
    app.gate.permit(caller, Write, subject).await
}

/// The scopes that a client is registered with.
///
/// # Errors
///
/// [`Problem::BadRequest`] if a scope is none that can be granted: an administrator that mistypes one learns it.
pub(crate) fn scopes(text: &str) -> Result<Scopes, Problem> {
    let parse = |text: &str| Scopes::parse(text, |name| name.parse::<ResourceType>().is_ok());
    let mut named = text.split_whitespace();
    if text.trim().is_empty() || named.any(|scope| parse(scope).is_empty()) {
        return Err(Problem::BadRequest(
            "Each scope is system/*.rs, or system/ with a resource type and .rs, such as system/Patient.rs.",
        ));
    }
    let text: Vec<&str> = text.split_whitespace().collect();
    Ok(parse(&text.join(" ")))
}

/// The public keys of a client.
///
/// # Errors
///
/// [`Problem::BadRequest`].
pub(crate) fn keys(jwks: &str) -> Result<JwkSet, Problem> {
    JwkSet::parse(jwks).map_err(|error| Problem::BadRequest(error.advice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_of_a_registration_can_be_granted() {
        let valid = scopes(" system/Patient.rs\r\n system/Observation.read ").unwrap();
        assert_eq!(valid.to_string(), "system/Observation.rs system/Patient.rs");
        for invalid in [
            "",
            "  ",
            "system/Patient.cruds?x=1",
            "system/Patient.c",
            "system/Robot.rs",
            "system/Patient.rs user/Patient.rs",
        ] {
            assert!(scopes(invalid).is_err(), "{invalid}");
        }
    }
}
