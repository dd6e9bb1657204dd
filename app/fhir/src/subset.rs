//! Subsets: resources of which elements were left out (R4 3.1.1.5.8).

use serde_json::Value;
use serde_json::json;

use crate::Issue;
use crate::IssueCode;
use crate::Resource;

/// The system of the code [`SUBSETTED`].
const SUBSET_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
/// The code in `meta.tag` of an incomplete resource.
const SUBSETTED: &str = "SUBSETTED";

/// Refuses an incomplete resource, which would replace the whole one if it was stored.
///
/// # Errors
///
/// `meta.tag` says that the resource is a subset. `root` is its path.
pub(crate) fn refuse_subset(resource: &Resource, root: &str) -> Result<(), Issue> {
    let tags = resource
        .value()
        .pointer("/meta/tag")
        .and_then(Value::as_array);
    let is_subset = |tag: &Value| tag.get("code").and_then(Value::as_str) == Some(SUBSETTED);
    if !tags.is_some_and(|tags| tags.iter().any(is_subset)) {
        return Ok(());
    }
    let why = "the resource is tagged SUBSETTED: it is a part of a resource, and would replace the whole one; read it \
               without _elements and _summary, or send a PATCH";
    Err(Issue::new(IssueCode::BusinessRule, why).at(&format!("{root}.meta.tag")))
}

/// Adds the tag of an incomplete resource (R4 3.1.1.5.8).
pub(crate) fn tag(resource: &mut Resource) {
    let Some(object) = resource.value_mut().as_object_mut() else {
        return;
    };
    let tag = json!({ "system": SUBSET_SYSTEM, "code": SUBSETTED });
    let meta = object.entry("meta").or_insert_with(|| json!({}));
    let Some(meta) = meta.as_object_mut() else {
        return;
    };
    let tags = meta.entry("tag").or_insert_with(|| json!([]));
    if let Value::Array(tags) = tags {
        tags.push(tag);
    }
}
