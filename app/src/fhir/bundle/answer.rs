//! The Bundle that answers a Bundle.

use serde_json::{Value, json};

use super::Mode;
use crate::fhir::document::Document;
use crate::fhir::resource::instant_text;
use crate::fhir::{Outcome, Resource, Stamp, Target};

/// What became of one entry.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It was written, or stood there already just as it was sent.
    Written {
        /// What was written.
        target: Target,
        /// Its version.
        stamp: Stamp,
        /// Whether it is new.
        created: bool,
    },
    /// It was read.
    Read {
        /// What was read, as stored.
        resource: Resource,
        /// Its version.
        stamp: Stamp,
    },
    /// It was refused, or it failed.
    Refused(Outcome),
}

/// The answer to a transaction or batch: an entry for each entry, in the same order.
pub(crate) fn response(mode: Mode, answers: Vec<Answer>) -> Document {
    let kind = match mode {
        Mode::Transaction => "transaction-response",
        Mode::Batch => "batch-response",
    };
    let entries: Vec<Value> = answers.into_iter().map(entry).collect();
    Document::new(json!({ "resourceType": "Bundle", "type": kind, "entry": entries }))
}

fn entry(answer: Answer) -> Value {
    match answer {
        Answer::Written {
            target,
            stamp,
            created,
        } => {
            let status = if created { "201 Created" } else { "200 OK" };
            let location = format!("{target}/_history/{}", stamp.version);
            json!({ "response": {
                "status": status,
                "location": location,
                "etag": stamp.etag(),
                "lastModified": instant_text(stamp.last_updated),
            }})
        }
        Answer::Read { resource, stamp } => {
            let mut entry = json!({ "response": {
                "status": "200 OK",
                "etag": stamp.etag(),
                "lastModified": instant_text(stamp.last_updated),
            }});
            if let Some(entry) = entry.as_object_mut() {
                let resource = resource.with_meta(stamp).into_value();
                entry.shift_insert(0, "resource".to_owned(), resource);
            }
            entry
        }
        Answer::Refused(outcome) => json!({ "response": {
            "status": outcome.status().to_string(),
            "outcome": outcome.to_json(),
        }}),
    }
}
