//! The searchset: the Bundle of a search response.

use serde_json::json;
use zeroize::Zeroizing;

use crate::Issue;
use crate::IssueCode;
use crate::Issues;
use crate::OperationOutcome;
use crate::Reference;
use crate::Resource;
use crate::ResourceClass;
use crate::Severity;
use crate::Status;
use crate::VersionMeta;
use crate::bundle::EntryJson;
use crate::bundle::bundle_of;

/// The reason why a resource is in a searchset: `Bundle.entry.search.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchMode {
    /// It matches.
    Match,
    /// A match refers to it, or it refers to a match.
    Include,
}

impl SearchMode {
    const fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Include => "include",
        }
    }
}

/// The entry of a resource. `origin` is the public address, `https://host`.
#[must_use]
pub fn searchset_entry(
    origin: &str,
    resource: Resource,
    meta: VersionMeta,
    mode: SearchMode,
) -> EntryJson {
    let id = resource.id().unwrap_or_default();
    let full_url = format!("{origin}/fhir/{}/{id}", resource.resource_type());
    let mut entry = json!({ "fullUrl": full_url, "search": { "mode": mode.name() } });
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
                     belong to the result, and is left out"
                ),
            )
        });
    }
    let outcome = OperationOutcome::new(Status::InternalServerError, issues).to_json();
    any.then(|| EntryJson::new(json!({ "resource": outcome, "search": { "mode": "outcome" } })))
}

/// The entry of a search in data that was tampered with: an outcome with a warning.
#[must_use]
pub fn incomplete_entry() -> EntryJson {
    let issue = Issue {
        severity: Severity::Warning,
        ..Issue::new(
            IssueCode::Incomplete,
            "stored resources are missing or not current, which was reported: the result is not complete",
        )
    };
    let outcome = OperationOutcome::new(Status::InternalServerError, issue).to_json();
    EntryJson::new(json!({ "resource": outcome, "search": { "mode": "outcome" } }))
}

/// The entry of a page from which included resources are left out, because there are too many: an outcome with a warning.
#[must_use]
pub fn included_in_part_entry() -> EntryJson {
    let issue = Issue {
        severity: Severity::Warning,
        ..Issue::new(
            IssueCode::TooCostly,
            "the included resources are not complete, because a page has at most 200 of them, or because the response \
             would be too long: request fewer matches with _count, or search for the included resources",
        )
    };
    let outcome = OperationOutcome::new(Status::ContentTooLarge, issue).to_json();
    EntryJson::new(json!({ "resource": outcome, "search": { "mode": "outcome" } }))
}

/// The entry for classes of resources that the caller may not read: an outcome with a warning. It does not tell whether
/// there are any. None without such classes.
pub fn withheld_entry(classes: impl IntoIterator<Item = ResourceClass>) -> Option<EntryJson> {
    let names: Vec<_> = classes.into_iter().map(ResourceClass::name).collect();
    let issue = Issue {
        severity: Severity::Warning,
        ..Issue::new(
            IssueCode::Forbidden,
            format!(
                "resources of these classes are left out, because your role may not read them: {}",
                names.join(", ")
            ),
        )
    };
    let outcome = OperationOutcome::new(Status::Forbidden, issue).to_json();
    let entry = json!({ "resource": outcome, "search": { "mode": "outcome" } });
    (!names.is_empty()).then(|| EntryJson::new(entry))
}

/// The entry of a page with fewer matches than requested, because the response would be too long: an outcome with a
/// warning.
#[must_use]
pub fn truncated_entry() -> EntryJson {
    let issue = Issue {
        severity: Severity::Warning,
        ..Issue::new(
            IssueCode::TooCostly,
            "the page was truncated, because the response would be too long: follow the next link, or \
             add a parameter to narrow the search",
        )
    };
    let outcome = OperationOutcome::new(Status::ContentTooLarge, issue).to_json();
    EntryJson::new(json!({ "resource": outcome, "search": { "mode": "outcome" } }))
}

/// The entry of a page that has no next link although there are more matches: an outcome with a warning.
#[must_use]
pub fn unpaged_entry() -> EntryJson {
    let issue = Issue {
        severity: Severity::Warning,
        ..Issue::new(
            IssueCode::TooLong,
            "there are more matches, and the parameters are too long for a next link: send a shorter search",
        )
    };
    let outcome = OperationOutcome::new(Status::ContentTooLarge, issue).to_json();
    EntryJson::new(json!({ "resource": outcome, "search": { "mode": "outcome" } }))
}

/// A page of the result of a search.
#[derive(Debug)]
pub struct Searchset<'a> {
    /// The public address, `https://host`.
    pub origin: &'a str,
    /// The path of the search below the base: a type, or a type in a patient's compartment.
    pub path: &'a str,
    /// The number of all matches, if it was requested.
    pub total: Option<usize>,
    /// The cursor of the next page, if there is one.
    pub next: Option<&'a str>,
}

impl Searchset<'_> {
    /// The Bundle with these entries.
    ///
    /// The `self` link omits the search parameters, because they may be PHI. The `next` link is a GET: its cursor holds
    /// the whole search.
    #[must_use]
    pub fn bundle(&self, entries: Vec<EntryJson>) -> Zeroizing<Vec<u8>> {
        let base = format!("{}/fhir/{}", self.origin, self.path);
        let mut link = vec![json!({ "relation": "self", "url": base })];
        if let Some(cursor) = self.next {
            link.push(json!({ "relation": "next", "url": format!("{base}?_cursor={cursor}") }));
        }
        let mut head = json!({ "resourceType": "Bundle", "type": "searchset", "link": link });
        if let (Some(total), Some(head)) = (self.total, head.as_object_mut()) {
            head.shift_insert(2, "total".to_owned(), json!(total));
        }
        bundle_of(&head, entries)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use time::macros::datetime;

    use super::*;
    use crate::ResourceType;

    const ORIGIN: &str = "https://localhost:8443";

    fn patient() -> EntryJson {
        let id = "c757873d-ec9a-4326-a141-556f43239520";
        let json = format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#);
        let patient = Resource::parse(json.as_bytes()).expect("valid");
        let meta = VersionMeta {
            version: 3,
            last_updated: datetime!(2026-11-23 15:00 UTC),
        };
        searchset_entry(ORIGIN, patient, meta, SearchMode::Match)
    }

    fn searchset(total: Option<usize>) -> Searchset<'static> {
        Searchset {
            origin: ORIGIN,
            path: "Patient",
            total,
            next: None,
        }
    }

    fn read(bundle: &[u8]) -> Value {
        serde_json::from_slice(bundle).expect("JSON")
    }

    #[test]
    fn a_searchset_contains_each_match_and_the_total() {
        let bundle = read(&searchset(Some(9)).bundle(vec![patient(), patient()]));
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
        let empty = read(&searchset(Some(0)).bundle(Vec::new()));
        assert!(empty.get("entry").is_none());
        assert_eq!(empty["total"], 0);
    }

    #[test]
    fn resources_that_cannot_be_opened_are_a_warning_each() {
        assert!(unopened_entry([]).is_none());
        let id = uuid::Uuid::from_u128(7);
        let damaged = Reference {
            resource_type: ResourceType::Patient,
            id,
        };
        let entry = unopened_entry([damaged]).expect("an entry");
        let bundle = read(&searchset(Some(2)).bundle(vec![patient(), entry]));
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
    fn classes_that_are_left_out_are_one_warning() {
        assert!(withheld_entry([]).is_none());
        let classes = [ResourceClass::Clinical, ResourceClass::Billing];
        let entry = withheld_entry(classes).expect("an entry");
        let bundle = read(&searchset(None).bundle(vec![entry]));
        let issue = &bundle["entry"][0]["resource"]["issue"][0];
        assert_eq!(issue["severity"], "warning");
        let text = issue["diagnostics"].as_str().expect("a text");
        assert!(text.ends_with("clinical, billing"), "{text}");
    }

    #[test]
    fn a_page_that_lacks_resources_has_a_warning() {
        for notice in [truncated_entry(), unpaged_entry(), included_in_part_entry()] {
            let bundle = read(&searchset(Some(9)).bundle(vec![patient(), notice]));
            let entry = &bundle["entry"][1];
            assert_eq!(entry["search"]["mode"], "outcome");
            assert_eq!(entry["resource"]["issue"][0]["severity"], "warning");
        }
    }

    #[test]
    fn the_next_page_is_a_get_with_a_cursor_and_the_total_may_be_left_out() {
        let page = Searchset {
            next: Some("abc"),
            ..searchset(None)
        };
        let bundle = read(&page.bundle(vec![patient()]));
        assert!(bundle.get("total").is_none());
        assert_eq!(bundle["link"][1]["relation"], "next");
        assert_eq!(
            bundle["link"][1]["url"],
            format!("{ORIGIN}/fhir/Patient?_cursor=abc")
        );
    }
}
