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

/// A page of search results: the Bundle of a response.
pub struct Searchset<'a> {
    /// The public address, `https://host`.
    pub origin: &'a str,
    /// The path that was searched, after the base: `Observation` or `Observation/_search`. The `self` link omits the
    /// search parameters, because they are PHI.
    pub path: &'a str,
    /// The number of all matches; omitted without one.
    pub total: Option<usize>,
    /// The opaque cursor of the next page; the last page has none.
    pub next: Option<&'a str>,
    /// The matches, then what they include.
    pub entries: Vec<EntryJson>,
    /// Remarks on the page: what is missing, and why.
    pub remarks: Vec<Issue>,
}

impl Searchset<'_> {
    /// The Bundle as JSON.
    #[must_use]
    pub fn to_bytes(self) -> Zeroizing<Vec<u8>> {
        let Self { origin, path, .. } = self;
        let mut links = vec![json!({ "relation": "self", "url": format!("{origin}/fhir/{path}") })];
        if let Some(cursor) = self.next {
            let path = path.strip_suffix("/_search").unwrap_or(path);
            let url = format!("{origin}/fhir/{path}?_cursor={cursor}");
            links.push(json!({ "relation": "next", "url": url }));
        }
        let mut head = json!({ "resourceType": "Bundle", "type": "searchset", "link": links });
        if let (Some(total), Some(head)) = (self.total, head.as_object_mut()) {
            head.shift_insert(2, "total".to_owned(), json!(total));
        }
        let mut entries = self.entries;
        let mut remarks = Issues::default();
        for issue in self.remarks {
            remarks.add(|| issue);
        }
        if !remarks.is_empty() {
            let outcome = OperationOutcome::new(Status::ContentTooLarge, remarks).to_json();
            entries.push(EntryJson::new(
                json!({ "resource": outcome, "search": { "mode": "outcome" } }),
            ));
        }
        bundle_of(&head, entries)
    }
}

/// The entry of a matching resource. `origin` is the public address, `https://host`.
#[must_use]
pub fn searchset_entry(origin: &str, resource: Resource, meta: VersionMeta) -> EntryJson {
    entry(origin, resource, meta, "match")
}

/// The entry of a resource that a match includes.
#[must_use]
pub fn included_entry(origin: &str, resource: Resource, meta: VersionMeta) -> EntryJson {
    entry(origin, resource, meta, "include")
}

fn entry(origin: &str, resource: Resource, meta: VersionMeta, mode: &str) -> EntryJson {
    let id = resource.id().unwrap_or_default();
    let full_url = format!("{origin}/fhir/{}/{id}", resource.resource_type());
    let mut entry = json!({ "fullUrl": full_url, "search": { "mode": mode } });
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

/// The Bundle of a Patient search: the matches of this page, and the total number of matches. A page that
/// `is_cut` has fewer matches than requested, and an outcome that says so.
///
/// `origin` is the public address, `https://host`.
#[must_use]
pub fn searchset(
    origin: &str,
    total: usize,
    entries: Vec<EntryJson>,
    is_cut: bool,
) -> Zeroizing<Vec<u8>> {
    let truncated = Issue {
        severity: Severity::Warning,
        ..Issue::new(
            IssueCode::TooCostly,
            "the page was truncated, because the response would be too long: add a parameter \
             to narrow the search",
        )
    };
    let page = Searchset {
        origin,
        path: "Patient/_search",
        total: Some(total),
        next: None,
        entries,
        remarks: is_cut.then_some(truncated).into_iter().collect(),
    };
    page.to_bytes()
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

    #[test]
    fn a_page_has_a_link_to_the_next_one_and_no_total_that_was_not_counted() {
        let page = Searchset {
            origin: ORIGIN,
            path: "Observation/_search",
            total: None,
            next: Some("abc-_9"),
            entries: vec![patient()],
            remarks: Vec::new(),
        };
        let bundle = read(&page.to_bytes());
        let next =
            json!({"relation": "next", "url": format!("{ORIGIN}/fhir/Observation?_cursor=abc-_9")});
        assert_eq!(bundle["link"][1], next);
        assert_eq!(
            bundle["link"][0]["url"],
            format!("{ORIGIN}/fhir/Observation/_search")
        );
        assert!(bundle.get("total").is_none());
        assert_eq!(bundle["entry"].as_array().map(Vec::len), Some(1));
    }
}
