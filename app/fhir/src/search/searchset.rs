//! The Bundle that answers a search.

use serde_json::{Value, json};

use crate::{Resource, SensitiveJson, VersionMeta};

/// The Bundle that answers a search: the patients of this page, and how many match in all.
///
/// `origin` is the public address, `https://host`. The link to itself does not repeat what was
/// searched for.
#[must_use]
pub fn searchset(origin: &str, total: usize, found: Vec<(Resource, VersionMeta)>) -> SensitiveJson {
    let entries: Vec<Value> = found
        .into_iter()
        .map(|(resource, meta)| {
            let id = resource.id().unwrap_or_default();
            let full_url = format!("{origin}/fhir/{}/{id}", resource.resource_type());
            let mut entry = json!({ "fullUrl": full_url, "search": { "mode": "match" } });
            if let Some(entry) = entry.as_object_mut() {
                let resource = resource.with_meta(meta).into_value();
                entry.shift_insert(1, "resource".to_owned(), resource);
            }
            entry
        })
        .collect();
    let link = json!([{ "relation": "self", "url": format!("{origin}/fhir/Patient/_search") }]);
    let mut bundle = json!({
        "resourceType": "Bundle", "type": "searchset", "total": total, "link": link
    });
    if let (Some(bundle), false) = (bundle.as_object_mut(), entries.is_empty()) {
        bundle.insert("entry".to_owned(), Value::Array(entries));
    }
    SensitiveJson::new(bundle)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_searchset_carries_each_match_and_the_total() {
        let id = "c757873d-ec9a-4326-a141-556f43239520";
        let json = format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#);
        let patient = Resource::parse(json.as_bytes()).expect("sound");
        let meta = VersionMeta {
            version: 3,
            last_updated: datetime!(2026-11-23 15:00 UTC),
        };
        let answer = searchset("https://localhost:8443", 9, vec![(patient, meta)]);
        let bundle = answer.value();
        assert_eq!(
            (&bundle["type"], &bundle["total"]),
            (&json!("searchset"), &json!(9))
        );
        let entry = &bundle["entry"][0];
        assert_eq!(
            entry["fullUrl"],
            format!("https://localhost:8443/fhir/Patient/{id}")
        );
        assert_eq!(entry["search"]["mode"], "match");
        assert_eq!(entry["resource"]["meta"]["versionId"], "3");
        assert!(searchset("o", 0, Vec::new()).value().get("entry").is_none());
    }
}
