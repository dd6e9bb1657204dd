//! The parameters of a request for an export.

use std::borrow::Cow;

use time::OffsetDateTime;

use super::ExportLevel;
use super::FHIR_NDJSON;
use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::ResourceType;
use crate::Status;
use crate::UnknownResourceType;
use crate::instant_text;
use crate::primitive::instant;

/// The values of `_outputFormat`: all name NDJSON. The last one is the first as clients send it that do not escape its `+`,
/// which is a space in a query string.
pub const FORMATS: [&str; 4] = [
    FHIR_NDJSON,
    "application/ndjson",
    "ndjson",
    "application/fhir ndjson",
];

/// What an export contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportQuery {
    /// The resources that the export is about.
    pub level: ExportLevel,
    /// The types, each once, in the order of [`ResourceType::ALL`].
    pub types: Vec<ResourceType>,
    /// `_since`: resources whose current version was stored before are left out.
    pub since: Option<OffsetDateTime>,
    /// Whether the types are listed: by the request, or by the scopes of its caller.
    is_limited: bool,
}

impl ExportQuery {
    /// Parses the query string of a request.
    ///
    /// # Errors
    ///
    /// 400 for a parameter that is not supported, an invalid value, or a type that cannot be part of the export. No value
    /// is repeated.
    pub fn parse(level: ExportLevel, query: &str) -> Result<Self, OperationOutcome> {
        let (mut listed, mut since, mut is_limited) = (Vec::new(), None, false);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "_outputFormat" => check_format(&value)?,
                "_since" => {
                    let why = "_since must be an instant: YYYY-MM-DDThh:mm:ss with a time zone";
                    let issue = || bad_request(IssueCode::Value, why);
                    since = Some(instant(&value).ok_or_else(issue)?);
                }
                "_type" => {
                    is_limited = true;
                    add_types(level, &value, &mut listed)?;
                }
                other => return Err(unsupported(other)),
            }
        }
        let is_listed = |it: &ResourceType| !is_limited || listed.contains(it);
        let types = ResourceType::ALL.into_iter();
        let types = types.filter(|it| level.includes(*it)).filter(is_listed);
        Ok(Self {
            level,
            types: types.collect(),
            since,
            is_limited,
        })
    }

    /// Leaves out the types that are not covered by the caller's scopes, if the request did not name its types. If none is
    /// covered, all remain, to be refused.
    pub fn limit_to(&mut self, is_covered: impl Fn(ResourceType) -> bool) {
        let is_every = self.types.iter().all(|it| is_covered(*it));
        let is_any = self.types.iter().any(|it| is_covered(*it));
        if !self.is_limited && is_any && !is_every {
            self.types.retain(|it| is_covered(*it));
            self.is_limited = true;
        }
    }

    /// Parses the path and query of [`Self::request`].
    ///
    /// # Errors
    ///
    /// As [`Self::parse`]; 404 for the path of no export.
    pub fn parse_request(request: &str) -> Result<Self, OperationOutcome> {
        let (path, query) = request.split_once('?').unwrap_or((request, ""));
        let level = ExportLevel::of_path(path).ok_or_else(|| {
            let why = "this is no path of an export";
            OperationOutcome::new(Status::NotFound, Issue::new(IssueCode::NotFound, why))
        })?;
        Self::parse(level, query)
    }

    /// The path and query of the request below the base, as the manifest repeats it.
    #[must_use]
    pub fn request(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if self.is_limited {
            let names: Vec<_> = self.types.iter().map(|it| it.name()).collect();
            query.append_pair("_type", &names.join(","));
        }
        if let Some(since) = self.since {
            query.append_pair("_since", &instant_text(since));
        }
        let (path, query) = (self.level.path(), query.finish());
        if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        }
    }
}

fn check_format(value: &str) -> Result<(), OperationOutcome> {
    if FORMATS.contains(&value) {
        return Ok(());
    }
    let why = "_outputFormat must be application/fhir+ndjson, application/ndjson or ndjson";
    Err(bad_request(IssueCode::NotSupported, why))
}

/// Adds the types of a list. A type that is listed twice counts once, so that the list has an end.
fn add_types(
    level: ExportLevel,
    value: &str,
    types: &mut Vec<ResourceType>,
) -> Result<(), OperationOutcome> {
    for name in value.split(',') {
        let resource_type: ResourceType =
            name.trim()
                .parse()
                .map_err(|unknown: UnknownResourceType| {
                    OperationOutcome::bad_request(Issue::from(unknown))
                })?;
        if !level.includes(resource_type) {
            let why = format!(
                "{resource_type} is in the compartment of no patient: it is part of [base]/$export only"
            );
            return Err(bad_request(IssueCode::NotSupported, why));
        }
        if !types.contains(&resource_type) {
            types.push(resource_type);
        }
    }
    Ok(())
}

fn unsupported(name: &str) -> OperationOutcome {
    let why = match name {
        "_typeFilter" => "the parameter _typeFilter is not supported: search a chart instead",
        "_elements" => "the parameter _elements is not supported: files have whole resources",
        "includeAssociatedData" => {
            "the parameter includeAssociatedData is not supported: provenance is exported as resources, and the trail by \
             the audit API"
        }
        "patient" => {
            "the parameter patient is not supported: put the patients in a Group, and export that"
        }
        _ => {
            "an unknown parameter is not supported; supported parameters of an export are: _outputFormat, _since, _type"
        }
    };
    bad_request(IssueCode::NotSupported, why)
}

fn bad_request(code: IssueCode, why: impl Into<Cow<'static, str>>) -> OperationOutcome {
    OperationOutcome::bad_request(Issue::new(code, why))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    fn parse(query: &str) -> Result<ExportQuery, OperationOutcome> {
        ExportQuery::parse(ExportLevel::Patients, query)
    }

    #[test]
    fn an_export_without_parameters_has_every_type_of_its_level() {
        let all = ExportQuery::parse(ExportLevel::Organization, "").unwrap();
        assert_eq!(all.types, ResourceType::ALL);
        assert_eq!(all.request(), "$export");
        let patients = parse("_outputFormat=application/fhir+ndjson").unwrap();
        assert!(patients.types.len() < all.types.len());
        assert!(patients.types.contains(&ResourceType::Observation));
        assert_eq!(patients.request(), "Patient/$export");
    }

    #[test]
    fn listed_types_are_taken_once_and_in_their_own_order() {
        let query =
            parse("_type=Observation,Patient&_type=Patient&_since=2026-11-29T12:00:00%2B01:00");
        let query = query.unwrap();
        let mut types = vec![ResourceType::Observation, ResourceType::Patient];
        types.sort_by_key(|it| ResourceType::ALL.iter().position(|other| other == it));
        assert_eq!(query.types, types);
        assert_eq!(query.since, Some(datetime!(2026-11-29 11:00 UTC)));
        let again = query.request();
        assert_eq!(ExportQuery::parse_request(&again), Ok(query.clone()));
        let again = again.strip_prefix("Patient/$export?").unwrap();
        assert_eq!(parse(again).unwrap(), query);
        let group = ExportLevel::Group(Uuid::from_u128(7));
        let of_group = ExportQuery::parse(group, again).unwrap().request();
        assert!(of_group.starts_with("Group/00000000-0000-0000-0000-000000000007/$export?_type="));
        assert_eq!(ExportQuery::parse_request(&of_group).unwrap().level, group);
        for other in ["", "Patient", "Group/7/$export", "Observation/$export"] {
            assert!(ExportQuery::parse_request(other).is_err(), "{other}");
        }
    }

    #[test]
    fn an_export_without_a_list_has_the_types_that_are_covered() {
        let is_covered = |it| matches!(it, ResourceType::Patient | ResourceType::Practitioner);
        let mut limited = parse("").unwrap();
        limited.limit_to(is_covered);
        assert_eq!(limited.types, [ResourceType::Patient]);
        assert_eq!(limited.request(), "Patient/$export?_type=Patient");
        let unlimited = |query: &str, is_covered: &dyn Fn(ResourceType) -> bool| {
            let mut limited = parse(query).unwrap();
            limited.limit_to(is_covered);
            assert_eq!(limited, parse(query).unwrap(), "{query}");
        };
        unlimited("_type=Observation", &is_covered);
        unlimited("", &|_| true);
        unlimited("", &|_| false);
    }

    #[test]
    fn what_is_not_supported_is_refused_and_not_repeated() {
        for query in [
            "_outputFormat=secret",
            "_since=secret",
            "_since=2026-11-29",
            "_type=Secret",
            "_type=",
            "_type=Patient,",
            "_type=Practitioner",
            "_type=Bundle",
            "_typeFilter=Observation%3Fcode%3Dsecret",
            "_elements=secret",
            "patient=Patient/secret",
            "secret=1",
        ] {
            let outcome = parse(query).unwrap_err();
            assert_eq!(outcome.status().code(), 400, "{query}");
            let text = outcome.to_json().to_string().to_lowercase();
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
