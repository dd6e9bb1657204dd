//! The refusals of a Patient search: the forms of values, and what is supported. None has a value of the request.

use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::Status;
use crate::search::patient_parameters::PARAMETERS;
use crate::search::patient_parameters::RESULT_PARAMETERS;
use crate::search::patient_parameters::UNSUPPORTED;
use crate::search::patient_parameters::modifiers;

/// The form of texts.
pub(super) const TEXT: &str =
    "the value must be one or more texts separated by commas; , | $ and \\ are escaped with \\";
/// The form of tokens.
pub(super) const TOKEN: &str = "the value must be value, system|value, |value or system|, or several separated by commas; \
                     , | $ and \\ are escaped with \\";
/// The form of contacts.
pub(super) const CONTACT: &str =
    "the value must be one or more values separated by commas; , | $ and \\ are escaped with \\";
/// The form of genders.
pub(super) const GENDER: &str =
    "a gender must be male, female, other or unknown, or several separated by commas";
/// The form of booleans.
pub(super) const BOOLEAN: &str = "the value must be true or false";
/// The form of uses of addresses.
pub(super) const ADDRESS_USE: &str =
    "an address use must be home, work, temp, old or billing, or several separated by commas";
/// The form of ids.
pub(super) const ID: &str = "an id must be a UUID in lower case, or several separated by commas";
/// The form of birth dates.
pub(super) const DATE: &str = "a birthdate must be YYYY, YYYY-MM or YYYY-MM-DD, optionally after eq, ne, gt, lt, \
                    ge, le, sa or eb, or several separated by commas";
/// The form of times.
pub(super) const TIME: &str = "the value must be a date or a time such as 2026-11-29T10:00:00Z, optionally after eq, ne, gt, \
                    lt, ge, le, sa or eb, or several separated by commas; + is sent as %2B";
/// The form of references.
pub(super) const REFERENCE: &str = "the value must be Type/id or id of a resource of this server, of a type to which the \
                         element refers, or several separated by commas";
/// The form of sort orders.
pub(super) const SORT: &str = "_sort must be family, given, birthdate, _lastUpdated or _id, with - before it for descending order";

/// 413: the search exceeds a limit.
pub(super) fn too_many(limit: &str) -> OperationOutcome {
    let why = format!("a search has {limit}: send several searches");
    OperationOutcome::new(Status::ContentTooLarge, Issue::new(IssueCode::TooLong, why))
}

/// The issue for a parameter or a modifier that is not supported.
pub(super) fn unsupported(parameter: &str) -> Issue {
    let name = parameter
        .split_once(':')
        .map_or(parameter, |(name, _)| name);
    let supported = || PARAMETERS.iter().map(|(name, _)| *name);
    let results = || RESULT_PARAMETERS.into_iter();
    if let Some(known) = supported().chain(results()).find(|known| *known == name) {
        let why = match modifiers(known) {
            [] => format!("the parameter {known} supports no modifier"),
            all => format!(
                "the parameter {known} does not support this modifier, but :{}",
                all.join(" and :")
            ),
        };
        return Issue::new(IssueCode::NotSupported, why);
    }
    let why = match UNSUPPORTED.into_iter().find(|known| *known == name) {
        Some(known) => format!("the parameter {known} is not supported"),
        None => "an unknown parameter is not supported".to_owned(),
    };
    let all = supported().chain(results()).collect::<Vec<_>>().join(", ");
    let why = format!("{why}; supported parameters are: {all}");
    Issue::new(IssueCode::NotSupported, why)
}
