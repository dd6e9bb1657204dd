//! The Bundle that is the response to a Bundle.

use serde_json::Map;
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
    /// 201 or 200: the resource was written, or the same content is already stored; or a create's condition matches it.
    Written {
        /// The resource.
        target: Reference,
        /// Its version.
        meta: VersionMeta,
        /// Whether the resource is new.
        created: bool,
        /// The content that the client prefers.
        content: WrittenContent,
    },
    /// 204: the resource was deleted, or there is none.
    Deleted {
        /// The version of the deletion; `None` if nothing was deleted.
        meta: Option<VersionMeta>,
    },
    /// 200: the resource, or one version of it, was read.
    Read {
        /// The resource as stored.
        resource: Resource,
        /// Its version.
        meta: VersionMeta,
    },
    /// 304: the client has the version already.
    NotModified {
        /// The version.
        meta: VersionMeta,
    },
    /// 200: a search or a history, as the JSON of a Bundle.
    Bundle(Zeroizing<Vec<u8>>),
    /// The entry was refused or failed.
    Refused(OperationOutcome),
    /// The entry was refused or failed, and the response has no room for an outcome.
    StatusOnly(Status),
}

/// The content of the response to a write, by the request's `Prefer: return=`.
#[derive(Debug)]
pub enum WrittenContent {
    /// `minimal`, or no preference.
    Minimal,
    /// `representation`: the resource as stored.
    Representation(Resource),
    /// `OperationOutcome`.
    OperationOutcome,
}

/// An entry of a response as JSON. Zeroized on drop.
#[derive(Debug)]
pub struct EntryJson(Zeroizing<Vec<u8>>);

impl EntryJson {
    /// Serializes an entry and zeroizes its tree: of many entries only the bytes stay in memory.
    pub(crate) fn new(entry: Value) -> Self {
        Self(SensitiveJson::new(entry).to_bytes())
    }

    /// An entry with a resource that is JSON already.
    fn with_resource(resource: &[u8]) -> Self {
        let (begin, end) = (br#"{"resource":"#, br#","response":{"status":"200 OK"}}"#);
        let length = resource.len().saturating_add(begin.len() + end.len());
        let mut entry = Zeroizing::new(Vec::with_capacity(length));
        entry.extend_from_slice(begin);
        entry.extend_from_slice(resource);
        entry.extend_from_slice(end);
        Self(entry)
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
        match response {
            EntryResponse::Bundle(bundle) => Self::with_resource(&bundle),
            EntryResponse::Written {
                target,
                meta,
                created,
                content,
            } => Self::new(written(target, meta, created, content)),
            EntryResponse::Deleted { meta } => {
                let status = "204 No Content";
                let response = meta.map_or_else(
                    || json!({ "status": status }),
                    |meta| response_of(status, meta),
                );
                Self::new(json!({ "response": response }))
            }
            EntryResponse::Read { resource, meta } => {
                Self::new(with_resource(resource, meta, response_of("200 OK", meta)))
            }
            EntryResponse::NotModified { meta } => {
                Self::new(json!({ "response": response_of("304 Not Modified", meta) }))
            }
            EntryResponse::Refused(outcome) => Self::new(json!({ "response": {
                "status": outcome.status().to_string(),
                "outcome": outcome.to_json(),
            }})),
            EntryResponse::StatusOnly(status) => {
                Self::new(json!({ "response": { "status": status.to_string() }}))
            }
        }
    }
}

/// `entry.response` with a version.
fn response_of(status: &str, meta: VersionMeta) -> Value {
    json!({
        "status": status,
        "etag": meta.etag(),
        "lastModified": instant_text(meta.last_updated),
    })
}

fn written(target: Reference, meta: VersionMeta, created: bool, content: WrittenContent) -> Value {
    let status = if created { "201 Created" } else { "200 OK" };
    let mut response = json!({
        "status": status,
        "location": format!("{target}/_history/{}", meta.version),
        "etag": meta.etag(),
        "lastModified": instant_text(meta.last_updated),
    });
    match content {
        WrittenContent::Minimal => json!({ "response": response }),
        WrittenContent::Representation(resource) => with_resource(resource, meta, response),
        WrittenContent::OperationOutcome => {
            let diagnostics = if created {
                "the resource was created"
            } else {
                "the resource is stored"
            };
            if let Some(members) = response.as_object_mut() {
                members.insert("outcome".to_owned(), success(diagnostics));
            }
            json!({ "response": response })
        }
    }
}

/// The outcome of a request that succeeded.
fn success(diagnostics: &'static str) -> Value {
    json!({
        "resourceType": "OperationOutcome",
        "issue": [{
            "severity": "information",
            "code": "informational",
            "diagnostics": diagnostics,
        }],
    })
}

/// An entry with a resource.
fn with_resource(resource: Resource, meta: VersionMeta, response: Value) -> Value {
    // `json!` would copy the resource.
    let mut entry = Map::new();
    let resource = resource.with_meta(meta).into_value();
    entry.insert("resource".to_owned(), resource);
    entry.insert("response".to_owned(), response);
    Value::Object(entry)
}
