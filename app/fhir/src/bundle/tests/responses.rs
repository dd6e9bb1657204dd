//! Responses to Bundles.

use time::macros::datetime;

use super::*;
use crate::VersionMeta;

const META: VersionMeta = VersionMeta {
    version: 2,
    last_updated: datetime!(2026-11-23 15:00 UTC),
};

fn entries(responses: Vec<EntryResponse>) -> Value {
    let entries = responses.into_iter().map(EntryJson::from).collect();
    let bundle: Value =
        serde_json::from_slice(&response(BundleType::Batch, entries)).expect("JSON");
    bundle["entry"].clone()
}

fn written(content: WrittenContent) -> EntryResponse {
    EntryResponse::Written {
        target: Reference {
            resource_type: ResourceType::Patient,
            id: Uuid::from_u128(7),
        },
        meta: META,
        created: false,
        content,
    }
}

#[test]
fn the_response_has_one_entry_for_each_request_entry() {
    let target = Reference {
        resource_type: ResourceType::Patient,
        id: Uuid::from_u128(7),
    };
    let meta = VersionMeta {
        version: 1,
        last_updated: datetime!(2026-11-23 15:00 UTC),
    };
    let resource = Resource::parse(patient().to_string().as_bytes()).expect("valid");
    let responses = vec![
        EntryResponse::Written {
            target,
            meta,
            created: true,
            content: WrittenContent::Minimal,
        },
        EntryResponse::Read { resource, meta },
        EntryResponse::Refused(OperationOutcome::new(
            Status::NotFound,
            Issue::new(IssueCode::NotFound, "x"),
        )),
        EntryResponse::StatusOnly(Status::Conflict),
    ];
    let entries = responses.into_iter().map(EntryJson::from).collect();
    let bundle: Value =
        serde_json::from_slice(&response(BundleType::Batch, entries)).expect("JSON");
    assert_eq!(bundle["type"], "batch-response");
    let written = &bundle["entry"][0]["response"];
    assert_eq!(written["status"], "201 Created");
    assert_eq!(written["etag"], "W/\"1\"");
    assert_eq!(written["location"], format!("{target}/_history/1"));
    assert_eq!(bundle["entry"][1]["resource"]["meta"]["versionId"], "1");
    assert_eq!(
        bundle["entry"][3]["response"],
        json!({"status": "409 Conflict"})
    );
    assert_eq!(bundle["entry"][2]["response"]["status"], "404 Not Found");
    assert_eq!(
        bundle["entry"][2]["response"]["outcome"]["issue"][0]["code"],
        "not-found"
    );
}

#[test]
fn the_response_to_a_write_has_the_content_that_the_client_prefers() {
    let stored = Resource::parse(patient().to_string().as_bytes()).expect("valid");
    let entries = entries(vec![
        written(WrittenContent::Minimal),
        written(WrittenContent::Representation(stored)),
        written(WrittenContent::OperationOutcome),
    ]);
    assert_eq!(entries[0].as_object().map(serde_json::Map::len), Some(1));
    assert_eq!(entries[0]["response"]["status"], "200 OK");
    assert_eq!(entries[1]["resource"]["id"], PATIENT);
    assert_eq!(entries[1]["resource"]["meta"]["versionId"], "2");
    assert_eq!(entries[1]["response"]["etag"], "W/\"2\"");
    let outcome = &entries[2]["response"]["outcome"];
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    assert_eq!(outcome["issue"][0]["severity"], "information");
}

#[test]
fn a_delete_a_304_and_a_search_have_their_responses() {
    let searchset = br#"{"resourceType":"Bundle","type":"searchset"}"#.to_vec().into();
    let entries = entries(vec![
        EntryResponse::Deleted { meta: Some(META) },
        EntryResponse::Deleted { meta: None },
        EntryResponse::NotModified { meta: META },
        EntryResponse::Bundle(searchset),
    ]);
    assert_eq!(entries[0]["response"]["status"], "204 No Content");
    assert_eq!(entries[0]["response"]["etag"], "W/\"2\"");
    assert_eq!(entries[1]["response"], json!({"status": "204 No Content"}));
    assert_eq!(entries[2]["response"]["status"], "304 Not Modified");
    assert_eq!(entries[3]["resource"]["type"], "searchset");
    assert_eq!(entries[3]["response"], json!({"status": "200 OK"}));
}

#[test]
fn the_response_to_an_empty_bundle_has_no_empty_array() {
    let empty = json!({"resourceType": "Bundle", "type": "transaction"});
    assert!(writes(&empty).is_empty());
    let response = response(BundleType::Transaction, Vec::new());
    let response: Value = serde_json::from_slice(&response).expect("JSON");
    assert!(response.get("entry").is_none());
}
