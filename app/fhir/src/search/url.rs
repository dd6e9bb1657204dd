//! What the query of a URL may contain: nothing that tells anything of a patient, because URLs are logged.

use super::parameters;
use super::parameters::TypeName;
use super::prefix::Prefix;
use super::refusals::UNSUPPORTED;
use super::results::RESULT_PARAMETER_NAMES;
use super::results::element_name;
use super::time_span::TimeSpan;
use super::values::local;
use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::ResourceType;
use crate::limits::MAX_CURSOR_BYTES;
use crate::limits::MAX_PARAMETER_BYTES;
use crate::limits::MAX_PARAMETERS;
use crate::parse_id;

/// The values of `category` that a URL may contain: codes of HL7 that classify resources in general.
pub const CATEGORIES: [&str; 24] = [
    "activity",
    "assess-plan",
    "biologic",
    "clinical-note",
    "community",
    "discharge",
    "encounter-diagnosis",
    "environment",
    "exam",
    "food",
    "health-concern",
    "imaging",
    "inpatient",
    "laboratory",
    "medication",
    "outpatient",
    "problem-list-item",
    "procedure",
    "sdoh",
    "social-history",
    "survey",
    "therapy",
    "vital-signs",
    "LAB",
];

/// The code systems of [`CATEGORIES`] that a URL may contain.
pub const CATEGORY_SYSTEMS: [&str; 12] = [
    "http://hl7.org/fhir/allergy-intolerance-category",
    "http://hl7.org/fhir/us/core/CodeSystem/careplan-category",
    "http://hl7.org/fhir/us/core/CodeSystem/condition-category",
    "http://hl7.org/fhir/us/core/CodeSystem/us-core-category",
    "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
    "http://terminology.hl7.org/CodeSystem/condition-category",
    "http://terminology.hl7.org/CodeSystem/medication-admin-category",
    "http://terminology.hl7.org/CodeSystem/medication-statement-category",
    "http://terminology.hl7.org/CodeSystem/medicationrequest-category",
    "http://terminology.hl7.org/CodeSystem/observation-category",
    "http://terminology.hl7.org/CodeSystem/v2-0074",
    "http://terminology.hl7.org/fhir/CodeSystem/medicationdispense-category",
];

/// The code systems of [`STATUSES`] that a URL may contain.
pub const STATUS_SYSTEMS: [&str; 16] = [
    "http://hl7.org/fhir/CodeSystem/medication-statement-status",
    "http://hl7.org/fhir/CodeSystem/medicationrequest-status",
    "http://hl7.org/fhir/account-status",
    "http://hl7.org/fhir/appointmentstatus",
    "http://hl7.org/fhir/care-team-status",
    "http://hl7.org/fhir/diagnostic-report-status",
    "http://hl7.org/fhir/document-reference-status",
    "http://hl7.org/fhir/encounter-status",
    "http://hl7.org/fhir/episode-of-care-status",
    "http://hl7.org/fhir/event-status",
    "http://hl7.org/fhir/flag-status",
    "http://hl7.org/fhir/fm-status",
    "http://hl7.org/fhir/list-status",
    "http://hl7.org/fhir/observation-status",
    "http://hl7.org/fhir/request-status",
    "http://hl7.org/fhir/task-status",
];

/// The values of `status` that a URL may contain: R4's status codes that tell only how far a record is.
pub const STATUSES: [&str; 32] = [
    "accepted",
    "active",
    "amended",
    "appended",
    "arrived",
    "booked",
    "cancelled",
    "completed",
    "corrected",
    "current",
    "draft",
    "ended",
    "entered-in-error",
    "final",
    "finished",
    "in-progress",
    "inactive",
    "on-hold",
    "onleave",
    "partial",
    "pending",
    "planned",
    "preliminary",
    "preparation",
    "proposed",
    "registered",
    "requested",
    "revoked",
    "stopped",
    "superseded",
    "triaged",
    "unknown",
];

/// Checks the query of a URL of a search. `base` is the base URL of this server's API, such as `https://host/fhir`.
///
/// # Errors
///
/// 400: a parameter or value may tell something of a patient. The outcome shows the POST that is to be sent instead,
/// with the names of R4's parameters and no value.
pub fn screen(
    resource_type: ResourceType,
    base: &str,
    query: &str,
) -> Result<(), OperationOutcome> {
    let mut refused: Vec<&str> = Vec::new();
    let mut is_refused = false;
    for (count, (name, value)) in url::form_urlencoded::parse(query.as_bytes()).enumerate() {
        if count >= MAX_PARAMETERS {
            is_refused = true;
            break;
        }
        if is_opaque(resource_type, &name, &value, base) {
            continue;
        }
        is_refused = true;
        let plain = name.split([':', '.']).next().unwrap_or_default();
        let known = known_name(resource_type, plain).filter(|known| !refused.contains(known));
        refused.extend(known);
    }
    if is_refused {
        return Err(show_post(resource_type, &refused));
    }
    Ok(())
}

fn show_post(resource_type: ResourceType, names: &[&str]) -> OperationOutcome {
    let fields: Vec<_> = names.iter().map(|name| format!("{name}=…")).collect();
    let fields = if fields.is_empty() {
        "…".to_owned()
    } else {
        fields.join("&")
    };
    let why = format!(
        "a URL is logged on its way, so its query may contain only opaque ids and parameters of the result: send POST \
         [base]/{resource_type}/_search with Content-Type: application/x-www-form-urlencoded and all parameters in the \
         body: {fields}"
    );
    OperationOutcome::bad_request(Issue::new(IssueCode::BusinessRule, why))
}

/// The name in this program's tables, which contains no PHI.
fn known_name(resource_type: ResourceType, name: &str) -> Option<&'static str> {
    let of_type = parameters::of_type(resource_type)?;
    let supported = of_type.supported.get_key_value(name).map(|(name, _)| name);
    let unsupported = || {
        of_type
            .unsupported
            .get_key_value(name)
            .map(|(name, _)| name)
    };
    let general = || {
        let mut all = RESULT_PARAMETER_NAMES
            .into_iter()
            .chain(["_id", "_lastUpdated"]);
        all.find(|known| *known == name)
    };
    let refused = || {
        UNSUPPORTED
            .iter()
            .map(|(known, _)| *known)
            .find(|known| *known == name)
    };
    let of_table = supported.or_else(unsupported).map(String::as_str);
    of_table.or_else(general).or_else(refused)
}

/// Whether a parameter of a URL tells nothing of a patient.
fn is_opaque(resource_type: ResourceType, name: &str, value: &str, base: &str) -> bool {
    let (plain, modifier) = name
        .split_once(':')
        .map_or((name, None), |(name, modifier)| (name, Some(modifier)));
    if modifier == Some("missing")
        && matches!(plain, "patient" | "subject" | "encounter" | "status")
    {
        return matches!(value, "true" | "false");
    }
    let of_type = modifier.is_none_or(|name| TypeName::named(name).is_some());
    let of_code = matches!(modifier, None | Some("not"));
    let short = value.len() <= MAX_PARAMETER_BYTES;
    match plain {
        "patient" | "subject" | "encounter" => {
            of_type && short && value.split(',').all(|it| is_opaque_reference(it, base))
        }
        "category" => {
            let is_listed = |code| is_listed(code, &CATEGORY_SYSTEMS, &CATEGORIES);
            of_code && short && value.split(',').all(is_listed)
        }
        "status" => {
            let is_listed = |code| is_listed(code, &STATUS_SYSTEMS, &STATUSES);
            of_code && short && value.split(',').all(is_listed)
        }
        _ if modifier.is_some() && !matches!(modifier, Some("iterate" | "recurse")) => false,
        "_id" => short && value.split(',').all(|id| parse_id(id.trim()).is_ok()),
        "_lastUpdated" => short && value.split(',').all(is_time),
        "_count" => value.len() <= 9 && value.bytes().all(|byte| byte.is_ascii_digit()),
        "_cursor" => value.len() <= MAX_CURSOR_BYTES && is_plain(value, b"-_.~"),
        // Names of types and parameters; what they may be is checked when the query is parsed.
        "_sort" | "_include" | "_revinclude" | "_type" => short && is_names(value),
        "_elements" => {
            let mut names = value.split(',');
            short && names.all(|name| element_name(resource_type, name.trim()).is_some())
        }
        "_total" => matches!(value, "none" | "estimate" | "accurate"),
        "_totalMethod" => matches!(value, "count" | "estimate"),
        "_summary" => matches!(value, "true" | "text" | "data" | "count" | "false"),
        "_pretty" => matches!(value, "true" | "false"),
        "_format" => value.len() <= 64 && is_plain(value, b"-_.~/+; ="),
        _ => false,
    }
}

/// A UUID, or `Type/uuid` after this server's base URL or without it.
fn is_opaque_reference(value: &str, base: &str) -> bool {
    let value = value.trim();
    let own = value
        .strip_prefix(base)
        .and_then(|rest| rest.strip_prefix('/'));
    let value = own.unwrap_or(value);
    let (plain, _) = value.split_once('#').unwrap_or((value, ""));
    parse_id(value).is_ok()
        || (plain == value && !value.contains("/_history/") && local(value).is_some())
}

/// A listed code, after a listed system or without one.
fn is_listed(value: &str, systems: &[&str], codes: &[&str]) -> bool {
    let (system, code) = value.rsplit_once('|').unwrap_or(("", value));
    (system.is_empty() || systems.contains(&system)) && codes.contains(&code.trim())
}

fn is_time(value: &str) -> bool {
    let (_, date) = Prefix::split(value.trim());
    TimeSpan::searched(date).is_some()
}

/// Words of letters that are names in R4: no digits beyond those of `base64`, and no free text.
fn is_names(value: &str) -> bool {
    let is_name =
        |word: &str| word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let mut words = value.split([',', ':', '-', '_', '.', '*']);
    words.all(is_name)
}

fn is_plain(value: &str, others: &[u8]) -> bool {
    value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://localhost:8443/fhir";
    const PATIENT: &str = "c757873d-ec9a-4326-a141-556f43239520";

    #[test]
    fn a_url_may_contain_opaque_ids_and_parameters_of_the_result() {
        for query in [
            String::new(),
            format!("patient={PATIENT}"),
            format!("subject=Patient/{PATIENT}&encounter={PATIENT}"),
            format!("subject:Patient={PATIENT}&_id={PATIENT},{PATIENT}"),
            format!("patient=https%3A%2F%2Flocalhost:8443%2Ffhir%2FPatient%2F{PATIENT}"),
            "_lastUpdated=ge2026-11-23T15:00:00Z&_count=20&_sort=-date,_id&_total=none".to_owned(),
            "_include=Observation:subject:Patient&_revinclude=Provenance:target&_include=*"
                .to_owned(),
            "_type=Observation,Condition&_summary=count&_elements=code,Observation.status"
                .to_owned(),
            "_format=application/fhir%2Bjson&_pretty=true&_cursor=abc-_9".to_owned(),
            "category=vital-signs,laboratory&status=final&status:not=entered-in-error".to_owned(),
            "category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
                .to_owned(),
            "encounter:missing=true".to_owned(),
        ] {
            assert!(
                screen(ResourceType::Observation, BASE, &query).is_ok(),
                "{query}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_post_and_without_a_value() {
        for (query, shown) in [
            ("code=SECRET", "code=…"),
            ("code:not=SECRET&date=1980-01-01", "code=…&date=…"),
            ("patient=SECRET", "patient=…"),
            ("patient.name=SECRET", "patient=…"),
            ("patient=Patient/SECRET", "patient=…"),
            (
                "patient=https://x.example/SECRET/fhir/Patient/c757873d-ec9a-4326-a141-556f43239520",
                "patient=…",
            ),
            ("patient:identifier=http://SECRET|1", "patient=…"),
            ("category=SECRET", "category=…"),
            ("category=http://SECRET|laboratory", "category=…"),
            (
                "category=http://hl7.org/fhir/SECRET|laboratory",
                "category=…",
            ),
            (
                "category=http://terminology.hl7.org/CodeSystem/SECRET|laboratory",
                "category=…",
            ),
            ("status=http://hl7.org/fhir/SECRET|final", "status=…"),
            ("_elements=SECRET", "_elements=…"),
            ("_elements=code,Patient.SECRET", "_elements=…"),
            (
                "category=http://hl7.org/fhir/SECRET 1|laboratory",
                "category=…",
            ),
            ("status=SECRET", "status=…"),
            ("_id=SECRET", "_id=…"),
            ("_sort=SECRET1", "_sort=…"),
            ("_lastUpdated=SECRET", "_lastUpdated=…"),
            ("_count=SECRET", "_count=…"),
            ("_has:Observation:patient:code=SECRET", "_has=…"),
            ("_text=SECRET", "_text=…"),
            ("code-value-quantity=SECRET", "code-value-quantity=…"),
            ("SECRET=1", "body: …"),
            ("SECRET", "body: …"),
        ] {
            let outcome = screen(ResourceType::Observation, BASE, query).expect_err(query);
            assert_eq!(outcome.status().code(), 400);
            let outcome = outcome.to_json().to_string();
            assert!(
                outcome.contains("POST [base]/Observation/_search"),
                "{outcome}"
            );
            assert!(outcome.contains(shown), "{query} {outcome}");
            assert!(
                !outcome.contains("SECRET") && !outcome.contains("1980"),
                "{outcome}"
            );
        }
        let many = vec!["_count=1"; 100].join("&");
        assert!(screen(ResourceType::Observation, BASE, &many).is_err());
    }
}
