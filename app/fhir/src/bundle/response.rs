//! The Bundle that is the response to a Bundle.

use serde_json::Value;
use serde_json::json;
use zeroize::Zeroizing;

use super::BundleType;
use crate::OperationOutcome;
use crate::Reference;
use crate::Resource;
use crate::SensitiveJson;
use crate::Status;
use crate::VersionMeta;
use crate::instant_text;

/// The response to one entry.
#[derive(Debug)]
pub enum EntryResponse {
    /// The resource was written, or the same content is already stored.
    Written {
        /// The resource.
        target: Reference,
        /// Its version.
        meta: VersionMeta,
        /// Whether the resource is new.
        created: bool,
    },
    /// The resource was read.
    Read {
        /// The resource as stored.
        resource: Resource,
        /// Its version.
        meta: VersionMeta,
    },
    /// The entry was refused or failed.
    Refused(OperationOutcome),
    /// The entry was refused or failed, and the response has no room for an outcome.
    StatusOnly(Status),
}

/// An entry of a response as JSON. Zeroized on drop.
#[derive(Debug)]
pub struct EntryJson(Zeroizing<Vec<u8>>);

impl EntryJson {
    /// Serializes an entry and zeroizes its tree: of many entries only the bytes stay in memory.
    pub(crate) fn new(entry: Value) -> Self {
        Self(SensitiveJson::new(entry).to_bytes())
    }

    /// The length, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the length is 0; false for JSON.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The response to a transaction or batch: one entry for each request entry, in the same order.
#[must_use]
pub fn response(bundle_type: BundleType, entries: Vec<EntryJson>) -> Zeroizing<Vec<u8>> {
    let response_type = match bundle_type {
        BundleType::Transaction => "transaction-response",
        BundleType::Batch => "batch-response",
    };
    bundle_of(
        &json!({ "resourceType": "Bundle", "type": response_type }),
        entries,
    )
}

/// A Bundle with the members of `head` and these entries. FHIR forbids empty arrays in JSON, so `entry` is omitted if
/// there are none.
pub(crate) fn bundle_of(head: &Value, entries: Vec<EntryJson>) -> Zeroizing<Vec<u8>> {
    // Assembled from bytes: a tree of all entries would use several times their memory.
    let head = head.to_string();
    let length: usize = entries.iter().map(|entry| entry.len() + 1).sum();
    let mut bundle = Zeroizing::new(Vec::with_capacity(head.len() + length + 16));
    if entries.is_empty() {
        bundle.extend_from_slice(head.as_bytes());
        return bundle;
    }
    bundle.extend_from_slice(head.strip_suffix('}').unwrap_or(&head).as_bytes());
    let mut separator: &[u8] = br#","entry":["#;
    for EntryJson(entry) in entries {
        bundle.extend_from_slice(separator);
        bundle.extend_from_slice(&entry);
        separator = b",";
    }
    bundle.extend_from_slice(b"]}");
    bundle
}

impl From<EntryResponse> for EntryJson {
    fn from(response: EntryResponse) -> Self {
        Self::new(entry(response))
    }
}

fn entry(response: EntryResponse) -> Value {
    match response {
        EntryResponse::Written {
            target,
            meta,
            created,
        } => {
            let status = if created { "201 Created" } else { "200 OK" };
            let location = format!("{target}/_history/{}", meta.version);
            json!({ "response": {
                "status": status,
                "location": location,
                "etag": meta.etag(),
                "lastModified": instant_text(meta.last_updated),
            }})
        }
        EntryResponse::Read { resource, meta } => {
            let mut entry = json!({ "response": {
                "status": "200 OK",
                "etag": meta.etag(),
                "lastModified": instant_text(meta.last_updated),
            }});
            if let Some(entry) = entry.as_object_mut() {
                let resource = resource.with_meta(meta).into_value();
                entry.shift_insert(0, "resource".to_owned(), resource);
            }
            entry
        }
        EntryResponse::Refused(outcome) => json!({ "response": {
            "status": outcome.status().to_string(),
            "outcome": outcome.to_json(),
        }}),
        EntryResponse::StatusOnly(status) => {
            json!({ "response": { "status": status.to_string() }})
        }
    }
}
