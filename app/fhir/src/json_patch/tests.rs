//! Patches: the rules of RFC 6902, and limits.

use serde_json::json;

use super::*;
use crate::limits::MAX_DEPTH;

const PATIENT: &str = "c757873d-ec9a-4326-a141-556f43239520";

fn patched(document: &Value, patch: &Value) -> Result<Value, OperationOutcome> {
    let mut document = document.clone();
    JsonPatch::parse(patch.to_string().as_bytes())?.operate(&mut document)?;
    Ok(document)
}

fn refused(document: &Value, patch: &Value) -> (IssueCode, String) {
    let outcome = patched(document, patch).expect_err("refused");
    assert_eq!(outcome.status().code(), 422);
    let issue = &outcome.issues()[0];
    (issue.code, issue.diagnostics.to_string())
}

/// Documents, patches and results.
fn patches() -> Vec<(Value, Value, Value)> {
    vec![
        (
            json!({"a": [1, 3]}),
            json!([{"op": "add", "path": "/a/1", "value": 2}, {"op": "add", "path": "/a/-", "value": 4}]),
            json!({"a": [1, 2, 3, 4]}),
        ),
        (
            json!({"a": 1}),
            json!([{"op": "add", "path": "/a", "value": null}, {"op": "add", "path": "/b", "value": {}}]),
            json!({"a": null, "b": {}}),
        ),
        (
            json!({"a": {"b": 1}, "c": [1, 2]}),
            json!([{"op": "remove", "path": "/a/b"}, {"op": "remove", "path": "/c/0"}]),
            json!({"a": {}, "c": [2]}),
        ),
        (
            json!({"a": [{"b": 1}]}),
            json!([{"op": "replace", "path": "/a/0/b", "value": [2]}]),
            json!({"a": [{"b": [2]}]}),
        ),
        (
            json!({"a": {"b": 1}, "c": [0]}),
            json!([{"op": "move", "from": "/a/b", "path": "/c/0"}, {"op": "move", "from": "/c", "path": "/a/d"}]),
            json!({"a": {"d": [1, 0]}}),
        ),
        (
            json!({"a": {"b": 1}}),
            json!([{"op": "copy", "from": "/a", "path": "/a/b"}, {"op": "move", "from": "/a", "path": "/a"}]),
            json!({"a": {"b": {"b": 1}}}),
        ),
        (
            json!({"a/b": {"m~n": 1.50, "": [0]}}),
            json!([
                {"op": "test", "path": "/a~1b/m~0n", "value": 1.5, "other": true},
                {"op": "test", "path": "/a~1b/", "value": [0]},
                {"op": "test", "path": "", "value": {"a/b": {"": [0], "m~n": 15e-1}}}
            ]),
            json!({"a/b": {"m~n": 1.50, "": [0]}}),
        ),
        (
            json!({"~1": 1, "1e0": 2, "0": 3}),
            json!([{"op": "remove", "path": "/~01"}, {"op": "remove", "path": "/1e0"}, {"op": "remove", "path": "/0"}]),
            json!({}),
        ),
        (
            json!([]),
            json!([{"op": "add", "path": "", "value": {"whole": true}}]),
            json!({"whole": true}),
        ),
    ]
}

#[test]
fn each_operation_does_what_the_standard_says() {
    for (document, patch, expected) in patches() {
        assert_eq!(patched(&document, &patch).ok(), Some(expected), "{patch}");
    }
}

#[test]
fn an_operation_that_cannot_be_applied_refuses_the_patch_with_its_index() {
    let document = json!({"a": ["SECRET", "x"], "o": {}, "t": "text"});
    for operation in [
        json!({"op": "add", "path": "/a/3", "value": 1}),
        json!({"op": "add", "path": "/a/-1", "value": 1}),
        json!({"op": "add", "path": "/a/1e0", "value": 1}),
        json!({"op": "add", "path": "/a/00", "value": 1}),
        json!({"op": "add", "path": "/missing/b", "value": 1}),
        json!({"op": "add", "path": "/t/b", "value": 1}),
        json!({"op": "replace", "path": "/missing", "value": 1}),
        json!({"op": "replace", "path": "/a/-", "value": 1}),
        json!({"op": "remove", "path": "/missing"}),
        json!({"op": "remove", "path": "/a/2"}),
        json!({"op": "remove", "path": "/a/-"}),
        json!({"op": "copy", "from": "/missing", "path": "/o/b"}),
        json!({"op": "move", "from": "/missing", "path": "/missing"}),
        json!({"op": "move", "from": "/o", "path": "/o/inside"}),
        json!({"op": "test", "path": "/a/0", "value": "secret"}),
        json!({"op": "test", "path": "/missing", "value": null}),
    ] {
        let passing = json!({"op": "test", "path": "/a/0", "value": "SECRET"});
        let (_, why) = refused(&document, &json!([passing, operation]));
        assert!(
            why.starts_with("operation 1 of the patch: "),
            "{operation}: {why}"
        );
        assert!(!why.to_lowercase().contains("secret"), "{why}");
    }
}

#[test]
fn a_malformed_patch_is_refused() {
    for patch in [
        json!({}),
        json!(["add"]),
        json!([{"path": "/a", "value": 1}]),
        json!([{"op": "spam", "path": "/a", "value": 1}]),
        json!([{"op": "add", "value": 1}]),
        json!([{"op": "add", "path": null, "value": 1}]),
        json!([{"op": "add", "path": "a", "value": 1}]),
        json!([{"op": "add", "path": "/a~2", "value": 1}]),
        json!([{"op": "add", "path": "/a~", "value": 1}]),
        json!([{"op": "add", "path": "/a"}]),
        json!([{"op": "move", "path": "/a"}]),
        json!([{"op": "copy", "path": "/a"}]),
    ] {
        refused(&json!({}), &patch);
    }
    assert!(JsonPatch::parse(b"[").is_err());
    let twice = br#"[{"op":"add","path":"/SECRET","value":1,"op":"remove"}]"#;
    let outcome = JsonPatch::parse(twice).expect_err("refused");
    assert!(!outcome.to_json().to_string().contains("SECRET"));
    let parameters = json!({"resourceType": "Parameters"});
    assert_eq!(refused(&json!({}), &parameters).0, IssueCode::NotSupported);
}

#[test]
fn the_costs_of_a_patch_are_bounded() {
    let copy = json!({"op": "copy", "from": "/a", "path": "/a/-"});
    let many = |count: usize| Value::Array(vec![copy.clone(); count]);
    let document = json!({"a": ["x".repeat(1_000)]});
    assert_eq!(refused(&document, &many(201)).0, IssueCode::TooLong);
    let (code, why) = refused(&document, &many(200));
    assert_eq!(code, IssueCode::TooLong);
    // The tenth copy would have 1 MiB.
    assert!(why.starts_with("operation 9 of the patch: "), "{why}");
    // Deeper by one level for each operation.
    let deeper = json!({"op": "copy", "from": "", "path": "/a"});
    let (code, why) = refused(&json!({}), &Value::Array(vec![deeper; MAX_DEPTH]));
    assert_eq!(code, IssueCode::TooLong);
    assert!(why.contains("too deeply"), "{why}");
    let path = "/a".repeat(MAX_DEPTH + 1);
    let deep = json!([{"op": "remove", "path": path}]);
    assert_eq!(refused(&json!({}), &deep).0, IssueCode::TooLong);
}

fn patient() -> Resource {
    let patient = format!(
        r#"{{"resourceType":"Patient","id":"{PATIENT}","active":true,"extension":[{{"url":"x","valueDecimal":1.50}}],"birthDate":"1980"}}"#
    );
    Resource::parse(patient.as_bytes()).expect("valid")
}

fn apply(patch: &Value) -> Result<Resource, OperationOutcome> {
    JsonPatch::parse(patch.to_string().as_bytes())?.apply(&patient())
}

#[test]
fn a_patched_resource_keeps_what_the_patch_does_not_change() {
    let patch = json!([
        {"op": "test", "path": "/birthDate", "value": "1980"},
        {"op": "replace", "path": "/birthDate", "value": "1980-02"},
        {"op": "add", "path": "/name", "value": [{"family": "A"}]},
        {"op": "remove", "path": "/active"}
    ]);
    let patched = apply(&patch).expect("applied");
    let expected = format!(
        r#"{{"resourceType":"Patient","id":"{PATIENT}","extension":[{{"url":"x","valueDecimal":1.50}}],"birthDate":"1980-02","name":[{{"family":"A"}}]}}"#
    );
    assert_eq!(std::str::from_utf8(&patched.to_bytes()).unwrap(), expected);
}

#[test]
fn a_result_that_is_not_valid_or_another_resource_is_refused() {
    for (patch, expression) in [
        (
            json!([{"op": "replace", "path": "/birthDate", "value": "SECRET"}]),
            "Patient.birthDate",
        ),
        (
            json!([{"op": "add", "path": "/nick", "value": "SECRET"}]),
            "Patient.?",
        ),
        (
            json!([{"op": "remove", "path": "/extension/0"}]),
            "Patient.extension",
        ),
        (
            json!([{"op": "replace", "path": "/id", "value": "SECRET"}]),
            "id",
        ),
        (json!([{"op": "remove", "path": "/id"}]), "id"),
        (
            json!([{"op": "replace", "path": "/resourceType", "value": "Person"}]),
            "resourceType",
        ),
        (
            json!([{"op": "replace", "path": "", "value": {}}]),
            "resourceType",
        ),
    ] {
        let outcome = apply(&patch).expect_err("refused");
        assert_eq!(outcome.status().code(), 422);
        assert_eq!(outcome.issues()[0].expression.as_deref(), Some(expression));
        assert!(!outcome.to_json().to_string().contains("SECRET"));
    }
}

#[test]
fn debug_shows_no_value() {
    let patch = JsonPatch::parse(br#"[{"op":"test","path":"/x","value":"SECRET"}]"#).unwrap();
    assert_eq!(format!("{patch:?}"), "JsonPatch(1 operations, [redacted])");
}

#[test]
fn base64_may_contain_whitespace() {
    assert_eq!(
        decode_base64("W10=\n").as_deref().map(Vec::as_slice),
        Some(&b"[]"[..])
    );
    assert!(decode_base64("W10").is_none());
    assert!(decode_base64("*").is_none());
}
