//! The Bundle that answers a Bundle.

use serde_json::{Value, json};

use super::Mode;
use crate::SensitiveJson;
use crate::resource::instant_text;
use crate::{OperationOutcome, Reference, Resource, VersionMeta};

/// The response to one entry.
#[derive(Debug)]
pub enum EntryResponse {
    /// It was written, or was stored already exactly as sent.
    Written {
        /// What was written.
        target: Reference,
        /// Its version.
        meta: VersionMeta,
        /// Whether it is new.
        created: bool,
    },
    /// It was read.
    Read {
        /// What was read, as stored.
        resource: Resource,
        /// Its version.
        meta: VersionMeta,
    },
    /// It was refused, or it failed.
    Refused(OperationOutcome),
}

/// The answer to a transaction or batch: an entry for each entry, in the same order.
pub fn response(mode: Mode, answers: Vec<EntryResponse>) -> SensitiveJson {
    let bundle_type = match mode {
        Mode::Transaction => "transaction-response",
        Mode::Batch => "batch-response",
    };
    let entries: Vec<Value> = answers.into_iter().map(entry).collect();
    let mut bundle = json!({ "resourceType": "Bundle", "type": bundle_type });
    // FHIR's JSON has no empty arrays.
    if let (Some(bundle), false) = (bundle.as_object_mut(), entries.is_empty()) {
        bundle.insert("entry".to_owned(), Value::Array(entries));
    }
    SensitiveJson::new(bundle)
}

fn entry(answer: EntryResponse) -> Value {
    match answer {
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
    }
}
