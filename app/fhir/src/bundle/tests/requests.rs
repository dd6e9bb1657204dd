//! The requests of entries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn request(method: &str, url: &str) -> Value {
    json!({"request": {"method": method, "url": url}})
}

fn with(mut entry: Value, name: &str, value: &str) -> Value {
    entry["request"][name] = json!(value);
    entry
}

fn patch(operations: &Value) -> Value {
    let mut entry = request("PATCH", &format!("Patient/{PATIENT}"));
    let data = STANDARD.encode(operations.to_string());
    entry["resource"] = json!({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data});
    entry
}

fn transaction(entries: &[Value]) -> TransactionRequest {
    match planned(&bundle("transaction", entries)) {
        Ok(BundleRequest::Transaction(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn read(entry: Value) -> EntryRead {
    let mut request = transaction(&[entry]);
    request.reads.remove(0)
}

/// The status, code and path with which a transaction of one entry is refused.
fn refused(entry: Value) -> (u16, IssueCode, String) {
    let outcome = planned(&bundle("transaction", &[entry])).expect_err("refused");
    let issue = &outcome.issues()[0];
    let path = issue.expression.clone().unwrap_or_default();
    (outcome.status().code(), issue.code, path)
}

#[test]
fn reads_are_of_a_resource_a_version_a_history_or_a_search() {
    let target = format!("Patient/{PATIENT}");
    for (url, expected) in [
        (target.clone(), format!("Read({target})")),
        (format!("/{target}"), format!("Read({target})")),
        (format!("{SERVER}/{target}"), format!("Read({target})")),
        (
            format!("{target}/_history/3"),
            format!("Version({target}, 3)"),
        ),
        (
            format!("{target}/_history"),
            format!("History({target}, [redacted])"),
        ),
        (
            format!("{target}/_history?_count=2"),
            format!("History({target}, [redacted])"),
        ),
        (
            "Patient?family=SECRET".to_owned(),
            "Search(Patient, [redacted])".to_owned(),
        ),
        (
            "Patient".to_owned(),
            "Search(Patient, [redacted])".to_owned(),
        ),
    ] {
        let interaction = read(request("GET", &url)).interaction;
        assert_eq!(format!("{interaction:?}"), expected, "{url}");
    }
    let search = read(request("GET", "/Observation?patient=1&code=a%7Cb")).interaction;
    let ReadInteraction::Search { query, .. } = search else {
        panic!("a search")
    };
    assert_eq!(query.as_str(), "patient=1&code=a%7Cb");
}

#[test]
fn a_read_may_have_a_condition() {
    let meta = crate::VersionMeta {
        version: 3,
        last_updated: time::macros::datetime!(2026-11-23 15:00:00.5 UTC),
    };
    let get = || request("GET", &format!("Patient/{PATIENT}"));
    for (name, value, expected) in [
        ("ifNoneMatch", "W/\"3\"", true),
        ("ifNoneMatch", "W/\"2\", \"3\"", true),
        ("ifNoneMatch", "*", true),
        ("ifNoneMatch", "W/\"2\"", false),
        ("ifModifiedSince", "2026-11-23T15:00:00Z", true),
        ("ifModifiedSince", "2026-11-23T17:00:00+02:00", true),
        ("ifModifiedSince", "2026-11-23T14:59:59Z", false),
    ] {
        let read = read(with(get(), name, value));
        assert_eq!(read.precondition.is_not_modified(meta), expected, "{value}");
    }
    assert!(!read(get()).precondition.is_not_modified(meta));
    assert_eq!(
        refused(with(get(), "ifNoneMatch", "3")).2,
        "Bundle.entry[0].request.ifNoneMatch"
    );
    assert_eq!(
        refused(with(get(), "ifMatch", "W/\"3\"")).2,
        "Bundle.entry[0].request.ifMatch"
    );
    let search = with(request("GET", "Patient?family=a"), "ifNoneMatch", "W/\"3\"");
    assert_eq!(refused(search).2, "Bundle.entry[0].request.url");
}

#[test]
fn a_write_may_have_a_precondition() {
    let precondition = |entry: Value| transaction(&[entry]).writes[0].precondition;
    let put = || put(&patient());
    let delete = || request("DELETE", &format!("Patient/{PATIENT}"));
    let version = WritePrecondition::Version(3);
    assert_eq!(precondition(put()), WritePrecondition::None);
    assert_eq!(precondition(with(put(), "ifMatch", "W/\"3\"")), version);
    assert_eq!(
        precondition(with(put(), "ifNoneMatch", "*")),
        WritePrecondition::Absent
    );
    assert_eq!(precondition(with(delete(), "ifMatch", "\"3\"")), version);
    assert_eq!(
        precondition(with(patch(&json!([])), "ifMatch", "3")),
        version
    );
    for (entry, element) in [
        (with(put(), "ifMatch", "*"), "ifMatch"),
        (with(put(), "ifMatch", "W/\"1\", W/\"2\""), "ifMatch"),
        (with(put(), "ifNoneMatch", "W/\"3\""), "ifNoneMatch"),
        (
            with(with(put(), "ifMatch", "W/\"3\""), "ifNoneMatch", "*"),
            "ifNoneMatch",
        ),
        (
            with(put(), "ifModifiedSince", "2026-11-23T15:00:00Z"),
            "ifModifiedSince",
        ),
        (
            with(post("urn:uuid:a", &patient()), "ifMatch", "W/\"3\""),
            "ifMatch",
        ),
        (with(delete(), "ifNoneMatch", "*"), "ifNoneMatch"),
    ] {
        let (status, _, path) = refused(entry.clone());
        assert_eq!(
            (status, path),
            (400, format!("Bundle.entry[0].request.{element}")),
            "{entry}"
        );
    }
    assert!(version.holds(Some(3)) && !version.holds(Some(4)) && !version.holds(None));
    assert!(WritePrecondition::Absent.holds(None) && !WritePrecondition::Absent.holds(Some(1)));
}

#[test]
fn a_transaction_deletes_first_and_reads_last() {
    let entries = [
        request("GET", &format!("Patient/{PATIENT}")),
        put(&observation("urn:uuid:a")),
        patch(&json!([{"op": "remove", "path": "/active"}])),
        post("urn:uuid:a", &patient()),
        request("DELETE", &format!("Patient/{OBSERVATION}")),
        request("DELETE", &format!("Condition/{OBSERVATION}")),
        post(
            "urn:uuid:o",
            &json!({"resourceType": "Organization", "name": "O"}),
        ),
    ];
    let request = transaction(&entries);
    let order: Vec<_> = request.writes.iter().map(|write| write.entry).collect();
    assert_eq!(order, [5, 4, 6, 3, 2, 1]);
    assert_eq!(request.reads[0].entry, 0);
    assert!(matches!(request.writes[0].content, WriteContent::Delete));
    assert!(matches!(request.writes[4].content, WriteContent::Patch(_)));
}

#[test]
fn a_transaction_writes_each_resource_once_whatever_the_method() {
    for second in [
        request("DELETE", &format!("Patient/{PATIENT}")),
        patch(&json!([])),
        put(&patient()),
    ] {
        let expected = (
            400,
            IssueCode::Duplicate,
            "Bundle.entry[1].request.url".to_owned(),
        );
        let outcome = planned(&bundle("transaction", &[put(&patient()), second])).unwrap_err();
        let issue = &outcome.issues()[0];
        let path = issue.expression.clone().unwrap();
        assert_eq!((outcome.status().code(), issue.code, path), expected);
    }
}

#[test]
fn a_request_that_is_not_supported_is_refused_at_its_element() {
    let target = format!("Patient/{PATIENT}");
    for (method, url, element) in [
        ("HEAD", target.clone(), "method"),
        ("GET", format!("{target}/$everything"), "url"),
        ("GET", "metadata".to_owned(), "url"),
        ("GET", "Patient/_history".to_owned(), "url"),
        ("GET", format!("{target}/_history/0"), "url"),
        ("GET", format!("{target}?_summary=true"), "url"),
        ("GET", format!("{target}/_history/1/2/3/4"), "url"),
        ("GET", "Patient/".to_owned(), "url"),
        ("GET", "//Patient".to_owned(), "url"),
        ("GET", format!("https://other.example/fhir/{target}"), "url"),
        ("POST", "Patient/_search".to_owned(), "url"),
        ("POST", "Patient/$validate".to_owned(), "url"),
        ("POST", format!("{target}/$everything"), "url"),
        ("POST", target.clone(), "url"),
        ("POST", "Patient?identifier=s|1".to_owned(), "url"),
        ("PUT", "Patient".to_owned(), "url"),
        ("PATCH", "Patient?identifier=s|1".to_owned(), "url"),
        ("PATCH", "Patient".to_owned(), "url"),
        ("DELETE", "Patient".to_owned(), "url"),
        ("DELETE", format!("{target}/_history/1"), "url"),
    ] {
        let mut entry = request(method, &url);
        entry["resource"] = patient();
        let (status, _, path) = refused(entry);
        let expected = (400, format!("Bundle.entry[0].request.{element}"));
        assert_eq!((status, path), expected, "{method} {url}");
    }
}

#[test]
fn a_patch_is_a_binary_with_a_json_patch() {
    assert!(matches!(
        transaction(&[patch(&json!([]))]).writes[0].content,
        WriteContent::Patch(_)
    ));
    let changed = |pointer: &str, value: Value| {
        let mut entry = patch(&json!([]));
        *entry.pointer_mut(pointer).unwrap() = value;
        refused(entry)
    };
    let parameters = changed("/resource", json!({"resourceType": "Parameters"}));
    let expected = "Bundle.entry[0].resource".to_owned();
    assert_eq!(parameters, (422, IssueCode::NotSupported, expected));
    let media_type = changed("/resource/contentType", json!("application/xml-patch+xml"));
    assert_eq!((media_type.0, media_type.1), (422, IssueCode::NotSupported));
    assert_eq!(changed("/resource/data", json!("*")).0, 422);
    let object = changed("/resource/data", json!(STANDARD.encode("{}")));
    let expected = "Bundle.entry[0].resource.data".to_owned();
    assert_eq!(object, (422, IssueCode::Structure, expected));
    assert_eq!(changed("/resource", json!(7)).0, 422);
    let mut missing = patch(&json!([]));
    missing.as_object_mut().unwrap().remove("resource");
    assert_eq!(refused(missing).1, IssueCode::Required);
}

#[test]
fn the_patches_of_a_bundle_have_limited_memory() {
    // Many small values use much more memory than their text.
    let operations = json!([{"op": "test", "path": "", "value": vec![json!([[[]]]); 5_000]}]);
    let entries = vec![patch(&operations); 10];
    let items = items(&bundle("batch", &entries));
    assert!(items[0].is_ok());
    let last = items[9].as_ref().unwrap_err();
    assert_eq!(last.issues()[0].code, IssueCode::TooCostly);
}

#[test]
fn a_batch_keeps_the_order_of_its_entries() {
    let entries = [
        put(&patient()),
        request("GET", &format!("Patient/{PATIENT}")),
        request("DELETE", &format!("Patient/{PATIENT}")),
        request("PUT", "Patient"),
    ];
    let items = items(&bundle("batch", &entries));
    assert!(matches!(items[0], Ok(BatchItem::Write(_))));
    assert!(matches!(items[1], Ok(BatchItem::Read(_))));
    assert!(matches!(items[2], Ok(BatchItem::Write(_))));
    assert!(items[3].is_err());
}
