//! The refusals of searches. None contains a value of the request.

use super::parameters;
use super::parameters::SearchParameter;
use super::results::RESULT_PARAMETER_NAMES;
use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::ResourceType;
use crate::Status;

/// R4's parameters of every type that are not supported, each with the reason.
pub(super) const UNSUPPORTED: [(&str, &str); 8] = [
    (
        "_has",
        "the parameter _has is not supported, because a search is inside one chart: search the other type by patient, or \
         use _revinclude",
    ),
    (
        "_text",
        "the parameter _text is not supported, because resources are sealed and their text has no index",
    ),
    (
        "_content",
        "the parameter _content is not supported, because resources are sealed and their text has no index",
    ),
    (
        "_list",
        "the parameter _list is not supported: read the List, and search by _id",
    ),
    (
        "_query",
        "the parameter _query is not supported: there are no named queries",
    ),
    (
        "_filter",
        "the parameter _filter is not supported: send its conditions as parameters",
    ),
    (
        "_contained",
        "the parameter _contained is not supported: contained resources are not searched",
    ),
    (
        "_containedType",
        "the parameter _containedType is not supported: contained resources are not searched",
    ),
];

/// 413: the search exceeds a limit.
pub(super) fn too_many(limit: &str) -> OperationOutcome {
    let why = format!("a search has {limit}: send several searches");
    OperationOutcome::new(Status::ContentTooLarge, Issue::new(IssueCode::TooLong, why))
}

/// 400: a type that belongs to patients is searched without a patient.
pub(super) fn no_patient(resource_type: ResourceType) -> OperationOutcome {
    let why = format!(
        "{resource_type} resources belong to patients, and a search is inside one patient's chart: add \
         patient=[id], as in GET [base]/{resource_type}?patient=[id], or send the form patient=[id]&… as POST \
         [base]/{resource_type}/_search"
    );
    OperationOutcome::bad_request(Issue::new(IssueCode::Required, why))
}

/// 400: the conditions name several patients.
pub(super) fn several_patients() -> OperationOutcome {
    let why = "a search is inside one patient's chart: patient and subject must name one patient; send a search for each";
    OperationOutcome::bad_request(Issue::new(IssueCode::NotSupported, why))
}

/// The issue for a parameter that is not supported.
pub(super) fn unsupported(resource_type: ResourceType, name: &str) -> Issue {
    let (plain, modifier) = name
        .split_once(':')
        .map_or((name, false), |(name, _)| (name, true));
    if let Some((_, why)) = UNSUPPORTED.iter().find(|(known, _)| *known == plain) {
        return Issue::new(IssueCode::NotSupported, *why);
    }
    if modifier
        && (RESULT_PARAMETER_NAMES.contains(&plain) || matches!(plain, "_id" | "_lastUpdated"))
    {
        let why = "parameters of the result, _id and _lastUpdated support no modifier; _include:iterate and \
                   _revinclude:iterate are not supported: send a search for each step";
        return Issue::new(IssueCode::NotSupported, why);
    }
    let of_type = parameters::of_type(resource_type);
    let known = of_type.and_then(|it| it.unsupported.get_key_value(plain));
    if let Some((name, why)) = known {
        let why = format!("the parameter {name} is not supported: {why}");
        return Issue::new(IssueCode::NotSupported, why);
    }
    let first = plain.split('.').next().unwrap_or_default();
    let of_type = of_type.and_then(|it| it.supported.get(first));
    if let Some(first) = of_type.filter(|_| name.contains('.')) {
        let first = first.name();
        let why = format!(
            "chained parameters such as {first}.name are not supported: search the other type first, and then by {first} \
             with its id"
        );
        return Issue::new(IssueCode::NotSupported, why);
    }
    let names: Vec<_> = resource_type
        .search_parameters()
        .map(SearchParameter::name)
        .collect();
    let why = format!(
        "an unknown parameter is not supported; supported parameters of {resource_type} are: _id, _lastUpdated, {}, {}",
        names.join(", "),
        RESULT_PARAMETER_NAMES.join(", ")
    );
    Issue::new(IssueCode::NotSupported, why)
}
