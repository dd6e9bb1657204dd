//! The body of a `POST` of `$export`: a `Parameters` resource in place of a query string.

use serde_json::Value;

use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::SensitiveJson;
use crate::limits::MAX_PARAMETERS;

/// The forms in which the values of parameters are sent.
const VALUES: [&str; 5] = [
    "valueString",
    "valueCode",
    "valueUri",
    "valueInstant",
    "valueDateTime",
];

/// The query string with the parameters of a `Parameters` resource. It is not checked yet.
///
/// # Errors
///
/// 400 for another body, or too many parameters. No value is repeated.
pub fn query_of_parameters(body: &[u8]) -> Result<String, OperationOutcome> {
    let document = SensitiveJson::parse(body).map_err(OperationOutcome::bad_request)?;
    let document = document.value();
    if document.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        let why = "the body of $export must be a Parameters resource";
        return Err(refused(IssueCode::Structure, why));
    }
    let parameters = document.get("parameter").and_then(Value::as_array);
    let parameters: Vec<&Value> = parameters.into_iter().flatten().collect();
    if parameters.len() > MAX_PARAMETERS {
        return Err(refused(
            IssueCode::TooCostly,
            "there are too many parameters",
        ));
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for parameter in parameters {
        let name = parameter.get("name").and_then(Value::as_str);
        let mut value = VALUES.iter().filter_map(|it| parameter.get(*it)?.as_str());
        query.append_pair(name.unwrap_or_default(), value.next().unwrap_or_default());
    }
    Ok(query.finish())
}

fn refused(code: IssueCode, why: &'static str) -> OperationOutcome {
    OperationOutcome::bad_request(Issue::new(code, why))
}

#[cfg(test)]
mod tests {
    use super::super::ExportLevel;
    use super::super::ExportQuery;
    use super::*;

    #[test]
    fn parameters_are_those_of_a_query_string() {
        let body = br#"{"resourceType":"Parameters","parameter":[
            {"name":"_type","valueString":"Patient"},
            {"name":"_type","valueString":"Observation,Condition"},
            {"name":"_since","valueInstant":"2026-11-29T12:00:00+01:00"},
            {"name":"_outputFormat","valueString":"application/fhir+ndjson"}
        ]}"#;
        let sent = query_of_parameters(body).unwrap();
        let plain = "_type=Patient,Observation,Condition&_since=2026-11-29T11:00:00Z";
        let level = ExportLevel::Patients;
        let parsed = ExportQuery::parse(level, &sent).unwrap();
        assert_eq!(parsed, ExportQuery::parse(level, plain).unwrap());
        let none = query_of_parameters(br#"{"resourceType":"Parameters"}"#);
        assert_eq!(none, Ok(String::new()));
    }

    #[test]
    fn another_body_is_refused_and_not_repeated() {
        let many = format!(
            r#"{{"resourceType":"Parameters","parameter":[{}{{}}]}}"#,
            r#"{"name":"secret"},"#.repeat(MAX_PARAMETERS)
        );
        for body in ["", "[]", r#"{"resourceType":"Secret"}"#, &many] {
            let refused = query_of_parameters(body.as_bytes()).unwrap_err();
            assert_eq!(refused.status().code(), 400, "{body}");
            let text = refused.to_json().to_string().to_lowercase();
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn a_parameter_without_a_name_or_a_value_is_refused_by_the_query() {
        for parameter in [r#"{"valueString":"x"}"#, r#"{"name":"_since"}"#] {
            let body = format!(r#"{{"resourceType":"Parameters","parameter":[{parameter}]}}"#);
            let query = query_of_parameters(body.as_bytes()).unwrap();
            assert!(ExportQuery::parse(ExportLevel::Patients, &query).is_err());
        }
    }
}
