//! What is equal, and what is not.

use super::ExactJson;

fn parse(text: &str) -> ExactJson {
    ExactJson::parse(text).unwrap()
}

fn difference(one: &str, other: &str) -> Option<String> {
    parse(one).difference(&parse(other))
}

#[test]
fn order_spaces_and_escapes_do_not_matter() {
    let one = r#"{"a": [1, {"b": "\u00e9/"}], "c": null}"#;
    let other = "{\"c\":null,\"a\":[1,{\"b\":\"é\\/\"}]}";
    assert_eq!(difference(one, other), None);
}

#[test]
fn numbers_are_equal_only_as_written() {
    for (one, other) in [
        ("1.0", "1.00"),
        ("1e2", "1E2"),
        ("1e2", "100"),
        ("-0.0", "0.0"),
        ("1E-22", "1E-022"),
        ("1", "\"1\""),
        ("0", "null"),
        ("100000000000000000000.1", "100000000000000000000.2"),
    ] {
        assert_eq!(difference(one, one), None, "{one}");
        assert_ne!(difference(one, other), None, "{one} {other}");
    }
}

#[test]
fn a_difference_is_named_by_its_place() {
    let sent = r#"{"a":[{"b":1},{"b":2.0}]}"#;
    let cases = [
        (r#"{"a":[{"b":1},{"b":2.00}]}"#, ".a[1].b"),
        (r#"{"a":[{"b":1}]}"#, ".a"),
        (r#"{"a":[{"b":1},{}]}"#, ".a[1].b"),
        (r#"{"a":[{"b":1},{"b":2.0,"c":1}]}"#, ".a[1].c"),
    ];
    for (read, place) in cases {
        assert_eq!(difference(sent, read).as_deref(), Some(place), "{read}");
    }
}

#[test]
fn what_is_written_is_what_was_parsed() {
    let text = r#"{"b":[1E-22,{"a":"x\"\\é"},[]],"a":{},"n":-0.10}"#;
    assert_eq!(parse(text).to_string(), text);
}

#[test]
fn members_are_replaced_added_and_removed() {
    let mut value =
        parse(r#"{"id":"a","x":{"reference":"A/1","y":[{"reference":"A/2"},{"reference":{}}]}}"#);
    value.set_member("id", Some(ExactJson::Text("b".to_owned())));
    value.set_member("new", Some(ExactJson::Literal("1.50".to_owned())));
    value.replace_texts("reference", &|text| text.replace('A', "B"));
    let expected = r#"{"id":"b","x":{"reference":"B/1","y":[{"reference":"B/2"},{"reference":{}}]},"new":1.50}"#;
    assert_eq!(value.to_string(), expected);
    value.set_member("x", None);
    value.set_member("absent", None);
    assert_eq!(value.to_string(), r#"{"id":"b","new":1.50}"#);
}
