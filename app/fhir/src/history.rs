//! Histories: the parameters of the interaction, and its Bundle (R4 3.1.0.14).

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::Reference;
use crate::Resource;
use crate::ResourceType;
use crate::ResponseForm;
use crate::VersionMeta;
use crate::bundle::EntryJson;
use crate::bundle::bundle_of;
use crate::instant_text;
use crate::limits::DEFAULT_COUNT;
use crate::limits::MAX_COUNT;
use crate::parse_id;
use crate::primitive::instant;

/// The parameters of a history.
#[derive(Debug)]
pub struct HistoryQuery {
    /// The patient in whose chart the resources of a type are; none for the history of one resource.
    pub patient: Option<Uuid>,
    /// `_since`: versions before this time are left out.
    pub since: Option<OffsetDateTime>,
    /// `_count`: the largest number of versions in a page.
    pub count: usize,
    /// The form of the versions.
    pub form: ResponseForm,
}

impl HistoryQuery {
    /// Parses form-encoded parameters.
    ///
    /// # Errors
    ///
    /// 400 for a parameter that is not supported, or an invalid value, neither of which is repeated.
    pub fn parse(resource_type: ResourceType, query: &[u8]) -> Result<Self, OperationOutcome> {
        let mut parsed = Self {
            patient: None,
            since: None,
            count: DEFAULT_COUNT,
            form: ResponseForm::default(),
        };
        let mut of_form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in url::form_urlencoded::parse(query) {
            let invalid = |why: &'static str| {
                let issue = Issue::new(IssueCode::Value, why);
                OperationOutcome::bad_request(issue)
            };
            match &*name {
                "_count" => {
                    let count: Option<usize> = value.parse().ok();
                    let count = count.filter(|count| *count > 0);
                    let why = "_count must be a number from 1; a page has at most 200 versions";
                    parsed.count = count.ok_or_else(|| invalid(why))?.min(MAX_COUNT);
                }
                "_since" => {
                    let why = "_since must be an instant: YYYY-MM-DDThh:mm:ss with a time zone";
                    parsed.since = Some(instant(&value).ok_or_else(|| invalid(why))?);
                }
                "patient" | "subject" => {
                    let id = value.strip_prefix("Patient/").unwrap_or(&value);
                    parsed.patient = Some(parse_id(id).map_err(OperationOutcome::bad_request)?);
                }
                _ => {
                    of_form.append_pair(&name, &value);
                }
            }
        }
        parsed.form = ResponseForm::parse(resource_type, &of_form.finish())?;
        Ok(parsed)
    }
}

/// The entry of a version; `resource` is none for a version that deletes the resource.
#[must_use]
pub fn history_entry(
    origin: &str,
    reference: Reference,
    meta: VersionMeta,
    resource: Option<Resource>,
) -> EntryJson {
    // The request that wrote a version is not stored; a PUT of the resource has the same effect.
    let (method, status) = match (&resource, meta.version) {
        (None, _) => ("DELETE", "204 No Content"),
        (Some(_), 1) => ("PUT", "201 Created"),
        (Some(_), _) => ("PUT", "200 OK"),
    };
    let mut entry = json!({
        "fullUrl": format!("{origin}/fhir/{reference}"),
        "request": { "method": method, "url": reference.to_string() },
        "response": {
            "status": status,
            "etag": meta.etag(),
            "lastModified": instant_text(meta.last_updated),
        }
    });
    if let (Some(resource), Some(entry)) = (resource, entry.as_object_mut()) {
        let resource = resource.with_meta(meta).into_value();
        entry.shift_insert(1, "resource".to_owned(), resource);
    }
    EntryJson::new(entry)
}

/// The Bundle of a page of a history. `path` is that of the interaction, `Patient/id/_history`; `next` is the cursor of
/// the next page.
#[must_use]
pub fn history_bundle(
    origin: &str,
    path: &str,
    total: Option<u64>,
    next: Option<&str>,
    entries: Vec<EntryJson>,
) -> Zeroizing<Vec<u8>> {
    let base = format!("{origin}/fhir/{path}");
    let mut link = vec![json!({ "relation": "self", "url": base })];
    if let Some(cursor) = next {
        link.push(json!({ "relation": "next", "url": format!("{base}?_cursor={cursor}") }));
    }
    let mut head = json!({ "resourceType": "Bundle", "type": "history", "link": link });
    if let (Some(total), Some(head)) = (total, head.as_object_mut()) {
        head.shift_insert(2, "total".to_owned(), json!(total));
    }
    bundle_of(&head, entries)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use time::macros::datetime;

    use super::*;

    const ID: &str = "c757873d-ec9a-4326-a141-556f43239520";

    fn parse(query: &str) -> Result<HistoryQuery, OperationOutcome> {
        HistoryQuery::parse(ResourceType::Observation, query.as_bytes())
    }

    #[test]
    fn the_parameters_of_a_history_are_read_or_refused() {
        let query = parse(&format!(
            "_count=1000&_since=2026-01-01T00:00:00Z&patient=Patient%2F{ID}&_pretty=true"
        ));
        let query = query.expect("valid");
        assert_eq!(query.count, MAX_COUNT);
        assert_eq!(query.since, Some(datetime!(2026-01-01 0:00 UTC)));
        assert_eq!(query.patient, ID.parse().ok());
        for refused in [
            "_count=0",
            "_count=x",
            "_since=2026",
            "patient=Smith",
            "name=Smith",
            "_at=2026",
        ] {
            let outcome = parse(refused).expect_err(refused).to_json().to_string();
            assert!(!outcome.contains("Smith"), "{outcome}");
        }
    }

    #[test]
    fn a_history_has_an_entry_for_each_version_and_none_of_content_for_a_deletion() {
        let reference = Reference {
            resource_type: ResourceType::Patient,
            id: ID.parse().expect("a UUID"),
        };
        let meta = |version| VersionMeta {
            version,
            last_updated: datetime!(2026-11-23 15:00 UTC),
        };
        let patient = format!(r#"{{"resourceType":"Patient","id":"{ID}"}}"#);
        let patient = Resource::parse(patient.as_bytes()).expect("valid");
        let origin = "https://localhost:8443";
        let entries = vec![
            history_entry(origin, reference, meta(2), None),
            history_entry(origin, reference, meta(1), Some(patient)),
        ];
        let path = format!("{reference}/_history");
        let bundle = history_bundle(origin, &path, Some(2), Some("abc"), entries);
        let bundle: Value = serde_json::from_slice(&bundle).expect("JSON");
        assert_eq!(
            (&bundle["type"], &bundle["total"]),
            (&json!("history"), &json!(2))
        );
        assert_eq!(bundle["entry"][0]["request"]["method"], "DELETE");
        assert!(bundle["entry"][0].get("resource").is_none());
        assert_eq!(bundle["entry"][1]["response"]["status"], "201 Created");
        assert_eq!(bundle["entry"][1]["resource"]["meta"]["versionId"], "1");
        let next = format!("{origin}/fhir/Patient/{ID}/_history?_cursor=abc");
        assert_eq!(bundle["link"][1]["url"], next);
    }
}
