//! What the pages and the API of administration share: the permission, the problems, and the form of an invitation.

use access::DataClass;
use access::Permitted;
use access::Role;
use access::Subject;
use access::Write;
use phi::PersonId;

use crate::http::authentication::CurrentCaller;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::limits::sign_in::MAX_EMAIL_BYTES;
use crate::services::error::ServiceError;
use crate::services::identity::AdministrationError;
use crate::services::identity::Invitation;

/// Maximum length of a person's name, in characters.
const MAX_NAME: usize = 200;

/// Authorizes a caller to administer people: one person, or the people as a whole.
pub(crate) async fn permit<'caller>(
    app: &AppState,
    caller: &'caller CurrentCaller,
    person: Option<PersonId>,
) -> Result<Permitted<'caller, Write>, ServiceError> {
    let subject = Subject::of("person", DataClass::People, caller.organization());
    let subject = match person {
        Some(person) => subject.id(person.uuid()),
        None => subject,
    };
    app.gate.permit(caller, Write, subject).await
}

/// The field of an invitation that was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum InvalidInvitation {
    /// The name is malformed.
    Name,
    /// The e-mail address is malformed.
    Email,
    /// The e-mail address is another account's.
    EmailInUse,
    /// The role is not one that an administrator can give.
    Role,
}

impl InvalidInvitation {
    /// What to do about the field.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::Name => "Enter a name of 1 to 200 characters.",
            Self::Email => {
                "Enter an e-mail address such as name@example.org, of at most 254 bytes."
            }
            Self::EmailInUse => "The e-mail address is in use: each account has its own.",
            Self::Role => {
                "Send a role of the workforce, such as \"clinician\", \"front_desk\" or \"privacy_officer\"."
            }
        }
    }
}

impl From<InvalidInvitation> for Problem {
    fn from(invalid: InvalidInvitation) -> Self {
        Self::BadRequest(invalid.advice())
    }
}

/// The problem of an administration of people.
pub(crate) fn problem(error: AdministrationError) -> Problem {
    match error {
        AdministrationError::EmailInUse => InvalidInvitation::EmailInUse.into(),
        AdministrationError::OwnAccount => Problem::BadRequest(
            "This is your own account: another security administrator changes it.",
        ),
        AdministrationError::Service(error) => error.into(),
    }
}

/// The person of a path.
///
/// # Errors
///
/// [`Problem::NotFound`] for a malformed id.
pub(crate) fn person_id(id: &str) -> Result<PersonId, Problem> {
    let id = id.parse().map_err(|_malformed| Problem::NotFound)?;
    Ok(PersonId::from_uuid(id))
}

/// An invitation with valid values.
///
/// # Errors
///
/// See [`InvalidInvitation`].
pub(crate) fn invitation(
    name: &str,
    email: &str,
    role: &str,
) -> Result<Invitation, InvalidInvitation> {
    let (name, email) = (person_name(name)?, email.trim());
    let has_parts = email
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if !is_text(email) || email.len() > MAX_EMAIL_BYTES || email.contains(' ') || !has_parts {
        return Err(InvalidInvitation::Email);
    }
    Ok(Invitation {
        name: name.to_owned(),
        email: email.to_owned(),
        role: self::role(role)?,
    })
}

/// The name of a person or a machine client.
///
/// # Errors
///
/// [`InvalidInvitation::Name`].
pub(crate) fn person_name(name: &str) -> Result<&str, InvalidInvitation> {
    let name = name.trim();
    if !is_text(name) || name.chars().count() > MAX_NAME {
        return Err(InvalidInvitation::Name);
    }
    Ok(name)
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// A role that an administrator can give: one of the workforce.
///
/// # Errors
///
/// [`InvalidInvitation::Role`] for another one. A machine client has keys in place of a password, and is registered; an account of a
/// patient needs a chart, which no command links yet.
pub(crate) fn role(name: &str) -> Result<Role, InvalidInvitation> {
    name.parse()
        .ok()
        .filter(|role| !matches!(role, Role::Patient | Role::Service))
        .ok_or(InvalidInvitation::Role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_has_a_name_an_address_and_a_role_of_the_workforce() {
        let valid = invitation(" Ada Lovelace ", "ada@example.org", "clinician").unwrap();
        assert_eq!(valid.name, "Ada Lovelace");
        assert_eq!(valid.role, Role::Clinician);
        let long = "x".repeat(255);
        for (name, email, role) in [
            ("", "ada@example.org", "clinician"),
            ("Ada\u{7}", "ada@example.org", "clinician"),
            (long.as_str(), "ada@example.org", "clinician"),
            ("Ada", "ada", "clinician"),
            ("Ada", "@example.org", "clinician"),
            ("Ada", "ada@", "clinician"),
            ("Ada", "ada @example.org", "clinician"),
            ("Ada", "ada@example.org", "patient"),
            ("Ada", "ada@example.org", "service"),
            ("Ada", "ada@example.org", "root"),
        ] {
            assert!(
                invitation(name, email, role).is_err(),
                "{name} {email} {role}"
            );
        }
    }
}
