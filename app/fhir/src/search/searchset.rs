//! The searchset: the Bundle of a search response.

use serde_json::json;
use zeroize::Zeroizing;

use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::OperationOutcome;
use crate::Reference;
use crate::Resource;
use crate::Severity;
use crate::Status;
use crate::VersionMeta;
use crate::bundle::EntryJson;
use crate::bundle::bundle_of;

/// The entry of a matching resource. `origin` is the public address, `https://host`.
#[must_use]
pub fn searchset_entry(origin: &str, resource: Resource, meta: VersionMeta) -> EntryJson {
    let id = resource.id().unwrap_or_default();
    let full_url = format!("{origin}/fhir/{}/{id}", resource.resource_type());
    let mut entry = json!({ "fullUrl": full_url, "search": { "mode": "match" } });
    if let Some(entry) = entry.as_object_mut() {
        let resource = resource.with_meta(meta).into_value();
        entry.shift_insert(1, "resource".to_owned(), resource);
    }
    EntryJson::new(entry)
}

/// The entry for resources that belong to the result and cannot be opened: an outcome with a warning for
/// each, of which the first 50 are listed. None without such resources.
pub fn unopened_entry(unopened: impl IntoIterator<Item = Reference>) -> Option<EntryJson> {
    let mut issues = Issues::default();
    let mut any = false;
    for Reference { resource_type, id } in unopened {
        any = true;
        issues.add(|| Issue {
            severity: Severity::Warning,
            ..Issue::new(
                IssueCode::Incomplete,
                format!(
                    "{resource_type}/{id} is stored and cannot be opened, because its stored data is damaged: it may \
                     match, and is not among the matches"
                ),
            )
        });
    }
    let outcome = OperationOutcome::new(Status::InternalServerError, issues).to_json();
    any.then(|| EntryJson::new(json!({ "resource": outcome, "search": { "mode": "outcome" } })))
}

/// The Bundle of a search response: the matches of this page, and the total number of matches. A page that
/// `is_cut` has fewer matches than requested, and an outcome that says so.
///
/// `origin` is the public address, `https://host`. The `self` link omits the search parameters, because they
/// are PHI.
#[must_use]
pub fn searchset(
    origin: &str,
    total: usize,
    mut entries: Vec<EntryJson>,
    is_cut: bool,
) -> Zeroizing<Vec<u8>> {
    if is_cut {
        let issue = Issue {
            severity: Severity::Warning,
            ..Issue::new(
                IssueCode::TooCostly,
                "the page was truncated, because the response would be too long: add a parameter \
                 to narrow the search",
            )
        };
        let outcome = OperationOutcome::new(Status::ContentTooLarge, issue).to_json();
        entries.push(EntryJson::new(
            json!({ "resource": outcome, "search": { "mode": "outcome" } }),
        ));
    }
    let link = json!([{ "relation": "self", "url": format!("{origin}/fhir/Patient/_search") }]);
    let head = json!({
        "resourceType": "Bundle", "type": "searchset", "total": total, "link": link
    });
    bundle_of(&head, entries)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use time::macros::datetime;

    use super::*;

    const ORIGIN: &str = "https://localhost:8443";

    fn patient() -> EntryJson {
        let id = "c757873d-ec9a-4326-a141-556f43239520";
        let json = format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#);
        let patient = Resource::parse(json.as_bytes()).expect("valid");
        let meta = VersionMeta {
            version: 3,
            last_updated: datetime!(2026-11-23 15:00 UTC),
        };
        searchset_entry(ORIGIN, patient, meta)
    }

    fn read(bundle: &[u8]) -> Value {
        serde_json::from_slice(bundle).expect("JSON")
    }

    #[test]
    fn a_searchset_contains_each_match_and_the_total() {
        let bundle = read(&searchset(ORIGIN, 9, vec![patient(), patient()], false));
        assert_eq!(
            (&bundle["type"], &bundle["total"]),
            (&json!("searchset"), &json!(9))
        );
        assert_eq!(bundle["entry"].as_array().map(Vec::len), Some(2));
        let entry = &bundle["entry"][0];
        assert_eq!(
            entry["fullUrl"],
            format!("{ORIGIN}/fhir/Patient/c757873d-ec9a-4326-a141-556f43239520")
        );
        assert_eq!(entry["search"]["mode"], "match");
        assert_eq!(entry["resource"]["meta"]["versionId"], "3");
        let empty = read(&searchset("o", 0, Vec::new(), false));
        assert!(empty.get("entry").is_none());
        assert_eq!(empty["total"], 0);
    }

    #[test]
    fn resources_that_cannot_be_opened_are_a_warning_each() {
        assert!(unopened_entry([]).is_none());
        let id = uuid::Uuid::from_u128(7);
        let damaged = Reference {
            resource_type: crate::ResourceType::Patient,
            id,
        };
        let entry = unopened_entry([damaged]).expect("an entry");
        let bundle = read(&searchset(ORIGIN, 2, vec![patient(), entry], false));
        let entry = &bundle["entry"][1];
        assert_eq!(entry["search"]["mode"], "outcome");
        let issue = &entry["resource"]["issue"][0];
        assert_eq!(
            (&issue["severity"], &issue["code"]),
            (&json!("warning"), &json!("incomplete"))
        );
        let named = issue["diagnostics"]
            .as_str()
            .is_some_and(|text| text.contains(&id.to_string()));
        assert!(named, "{issue}");
    }

    #[test]
    fn a_truncated_page_has_a_warning() {
        let bundle = read(&searchset(ORIGIN, 9, vec![patient()], true));
        let entry = &bundle["entry"][1];
        assert_eq!(entry["search"]["mode"], "outcome");
        assert_eq!(entry["resource"]["issue"][0]["severity"], "warning");
    }
}
