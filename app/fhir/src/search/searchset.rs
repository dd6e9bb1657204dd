//! The Bundle that is the response to a search.

use serde_json::json;
use zeroize::Zeroizing;

use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::Resource;
use crate::Severity;
use crate::Status;
use crate::VersionMeta;
use crate::bundle::EntryJson;
use crate::bundle::bundle_of;

/// A patient of a searchset. `origin` is the public address, `https://host`.
#[must_use]
pub fn searchset_entry(origin: &str, resource: Resource, meta: VersionMeta) -> EntryJson {
    let id = resource.id().unwrap_or_default();
    let full_url = format!("{origin}/fhir/{}/{id}", resource.resource_type());
    let mut entry = json!({ "fullUrl": full_url, "search": { "mode": "match" } });
    if let Some(entry) = entry.as_object_mut() {
        let resource = resource.with_meta(meta).into_value();
        entry.shift_insert(1, "resource".to_owned(), resource);
    }
    EntryJson::of(entry)
}

/// The Bundle that is the response to a search: the patients of this page, and how many match in all. A page that is
/// cut has fewer patients than were requested, and says so.
///
/// `origin` is the public address, `https://host`. The link to itself does not repeat what was
/// searched for.
#[must_use]
pub fn searchset(
    origin: &str,
    total: usize,
    mut found: Vec<EntryJson>,
    is_cut: bool,
) -> Zeroizing<Vec<u8>> {
    if is_cut {
        let issue = Issue {
            severity: Severity::Warning,
            ..Issue::new(
                IssueCode::TooCostly,
                "the page ends where the response would be too long: add a parameter to find the \
                 patients that are missing",
            )
        };
        let outcome = OperationOutcome::new(Status::ContentTooLarge, issue).to_json();
        found.push(EntryJson::of(
            json!({ "resource": outcome, "search": { "mode": "outcome" } }),
        ));
    }
    let link = json!([{ "relation": "self", "url": format!("{origin}/fhir/Patient/_search") }]);
    let head = json!({
        "resourceType": "Bundle", "type": "searchset", "total": total, "link": link
    });
    bundle_of(&head, found)
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
        let patient = Resource::parse(json.as_bytes()).expect("sound");
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
    fn a_searchset_carries_each_match_and_the_total() {
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
    fn a_page_that_is_cut_says_so() {
        let bundle = read(&searchset(ORIGIN, 9, vec![patient()], true));
        let entry = &bundle["entry"][1];
        assert_eq!(entry["search"]["mode"], "outcome");
        assert_eq!(entry["resource"]["issue"][0]["severity"], "warning");
    }
}
